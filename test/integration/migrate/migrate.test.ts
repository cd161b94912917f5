import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasInjector } from '../../../src/control/inject/client.js';
import type { MigrateDocument } from '../../../src/model/migrate.js';
import { BIN, sockdoc } from '../../support/cli.js';
import { compiled } from '../../support/libsd.js';
import { poll, requireRoot, requireTool, withNetns } from '../../support/live.js';
import { freePort } from '../../support/ports.js';
import { expectValid } from '../../support/schemas.js';
import { family, hasIt, ServerBench } from '../../support/servers.js';
import { startProgram, type Victim } from '../../support/victim.js';

const PINGPONG = fileURLToPath(new URL('../../../fixtures/programs/pingpong.c', import.meta.url));
const OTHER_USER = 65534;
/** Between two messages: what else is tested beside this wants CPU too. */
const PAUSE_US = 500;

let folder: string;
let monitor: string;
const victims: Victim[] = [];

const env = () => ({ SOCKDOC_MONITOR: monitor, SOCKDOC_STATE_DIR: folder });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sockdoc-migrate-'));
  monitor = join(folder, 'monitor.sock');
});
afterEach(async () => {
  for (const victim of victims.splice(0).reverse()) await victim.stop();
  if (existsSync(monitor)) await sockdoc(['monitor', 'stop', '--socket', monitor]);
  rmSync(folder, { recursive: true, force: true });
});

async function start(...args: Parameters<typeof startProgram>): Promise<Victim> {
  const victim = await startProgram(...args);
  victims.push(victim);
  return victim;
}

async function migrate(args: readonly (string | number)[], ...codes: number[]): Promise<MigrateDocument> {
  const result = await sockdoc(['migrate', '--json', '--window', '0', ...args.map(String)], { env: env() });
  expect(codes.length > 0 ? codes : [0], `${result.stdout}${result.stderr}`).toContain(result.code);
  expect(result.stderr).toBe('');
  const document = JSON.parse(result.stdout);
  await expectValid('migrate', document);
  return document;
}

/** A program that says "ready", by another user. */
async function startAs(uid: number, program: string, ...args: (string | number)[]): Promise<Victim> {
  const user = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const child = spawn('setpriv', [...user, program, ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'ignore'],
    cwd: '/',
  });
  const gone = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGKILL');
    await gone;
  };
  const no = () => Promise.reject(new Error('it is not asked'));
  const victim: Victim = { pid: child.pid as number, ready: undefined, ask: no, tell: no, stop };
  victims.push(victim);
  const [line] = await once(child.stdout, 'data');
  victim.ready = JSON.parse(String(line).split('\n')[0]?.slice('ready '.length) || 'null');
  return victim;
}

/** A pair that goes on talking. */
async function pair(): Promise<{ server: Victim; client: Victim }> {
  const server = await start('pingpong.c', ['server', 0, 0]);
  return { server, client: await start('pingpong.c', ['client', server.ready.port, 64, PAUSE_US]) };
}

const statesOf = ({ processes }: MigrateDocument) => processes.map(({ pid, state, named }) => ({ pid, state, named }));
/** Every call of the program is by libc's own code again. */
const isDetached = async (pid: number) =>
  (await migrate([pid, '--back', '--dry-run'])).processes.every(({ code }) => code === 'not-attached');

describe.runIf(hasInjector())('a pair that runs', () => {
  test('is attached to with its peer, its connection moves, and goes back; a dry run does nothing', async () => {
    const { server, client } = await pair();
    const dry = await migrate([server.pid, '--with-peers', '--dry-run']);
    expect(statesOf(dry)).toEqual([
      { pid: server.pid, state: 'ready', named: true },
      { pid: client.pid, state: 'ready', named: false },
    ]);
    expect(dry.connections).toEqual({ moved: 1, kept: 0, reasons: {} });
    expect([hasIt(server.pid), hasIt(client.pid), existsSync(monitor)]).toEqual([false, false, false]);

    const forth = await migrate([server.pid, '--with-peers', '--timeout', 30]);
    expect(statesOf(forth)).toEqual([
      { pid: server.pid, state: 'attached', named: true },
      { pid: client.pid, state: 'attached', named: false },
    ]);
    expect(forth.connections).toEqual({ moved: 1, kept: 0, reasons: {} });
    for (const { stoppedMs } of forth.processes) expect(stoppedMs).toBeGreaterThan(0);
    const { count = 0, medianMs = 0, p90Ms = 0, p99Ms = 0, maxMs = 0 } = forth.stopped ?? {};
    expect(count).toBeGreaterThanOrEqual(2);
    const figures = [0, medianMs, p90Ms, p99Ms, maxMs];
    expect(figures).toEqual(figures.toSorted((a, b) => a - b));
    expect(medianMs).toBeGreaterThan(0);
    const again = await migrate([server.pid, client.pid, '--timeout', 30]);
    expect(again.processes.map(({ state, code }) => ({ state, code }))).toEqual([
      { state: 'attached', code: 'already' },
      { state: 'attached', code: 'already' },
    ]);

    const back = await migrate([server.pid, client.pid, '--back']);
    expect(statesOf(back)).toEqual([
      { pid: server.pid, state: 'detached', named: true },
      { pid: client.pid, state: 'detached', named: true },
    ]);
    expect(back.connections).toMatchObject({ moved: 0, kept: 1 });
    expect(await isDetached(server.pid)).toBe(true);
  });

  test('as text: what it did beside what was predicted, and how to take it back', async () => {
    const { server, client } = await pair();
    const args = ['migrate', `${server.pid}`, '--with-peers', '--timeout', '30', '--window', '1000'];
    const { stdout, code } = await sockdoc(args, { env: env() });
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(new RegExp(`${server.pid} +pingpong +attached +[\\d.]+ ms`));
    expect(stdout).toContain('1 of 1 connections go by shared memory');
    expect(stdout).toContain(`Back: sockdoc migrate ${server.pid} ${client.pid} --back`);
    expect(stdout).toMatch(/THROUGHPUT +CPU\/BYTE +PREDICTED/);
    expect(stdout).toMatch(/pingpong \d+ +pingpong \d+ .* [\d.]+x +1\/[\d.]+ +1\/[\d.]+/);
  });

  test('in a network namespace of its own', async (ctx) => {
    requireRoot(ctx);
    await withNetns(async (ns) => {
      const server = await ns.start('metronome.py', 'serve', '127.0.0.1', 0);
      const client = await ns.start('metronome.py', 'ask', '127.0.0.1', server.ready.port, 300);
      const { connections } = await migrate([client.pid, '--with-peers', '--timeout', 30]);
      expect(connections).toEqual({ moved: 1, kept: 0, reasons: {} });
      const asked = async () => Number((await client.ask('how many', 'asked')).split(' ')[1]);
      const before = await asked();
      await poll('it goes on by memory', async () => (await asked()) > before + 100);
      expect((await migrate([client.pid, server.pid, '--back'])).connections.moved).toBe(0);
      const after = await asked();
      await poll('it goes on by the kernel', async () => (await asked()) > after + 100);
    });
  });

  test('beside others of another namespace and of other users, all at once: who may not share memory stays', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'setpriv');
    // The repository may be where other users cannot go, and they have to find the monitor.
    chmodSync(folder, 0o755);
    const program = join(folder, 'pingpong');
    execFileSync('cc', ['-O1', '-pthread', '-o', program, PINGPONG]);
    await withNetns(async (ns) => {
      const within = await ns.start('pingpong.c', 'server', 0, 0);
      await ns.start('pingpong.c', 'client', within.ready.port, 64, PAUSE_US);
      const servers = [
        within,
        await startAs(OTHER_USER, program, 'server', 0, 0),
        await startAs(0, program, 'server', 0, 0),
      ];
      for (const { ready } of servers.slice(1)) await startAs(OTHER_USER, program, 'client', ready.port, 64, PAUSE_US);
      const pids = servers.map(({ pid }) => pid);
      // Nobody waits for what a policy is against.
      const forth = await migrate([...pids, '--with-peers', '--timeout', 600]);
      expect(forth.processes.map(({ state, named }) => ({ state, named }))).toEqual([
        ...Array(3).fill({ state: 'attached', named: true }),
        ...Array(3).fill({ state: 'attached', named: false }),
      ]);
      expect(forth.connections).toMatchObject({ moved: 2, kept: 1 });
      expect(Object.keys(forth.connections.reasons).join()).toMatch(/different users/);
      const all = forth.processes.map(({ pid }) => pid);
      const back = await migrate([...all, '--back']);
      expect(back.processes.map(({ state }) => state)).toEqual(Array(6).fill('detached'));
      expect(back.connections).toMatchObject({ moved: 0, kept: 3 });
    });
  });

  test('Ctrl-C takes back what was done, and says so', async () => {
    // Both wait for the other one to say something: nothing can move.
    const server = await start('metronome.py', ['serve', '127.0.0.1', 0]);
    const client = await start('silent.py', [server.ready.port]);
    const args = ['migrate', `${server.pid}`, '--with-peers', '--timeout', '600', '--window', '0', '--json'];
    const run = execa(process.execPath, [BIN, ...args], { env: env(), reject: false });
    await poll('both are attached to', () => hasIt(server.pid) && hasIt(client.pid));
    run.kill('SIGINT');
    const { exitCode, stdout } = await run;
    expect(exitCode).toBe(130);
    const { error } = JSON.parse(stdout);
    expect(error).toMatchObject({ code: 130, kind: 'interrupted' });
    expect(error.next).toMatch(/Detached again|No process was attached to/);
    expect(await isDetached(server.pid)).toBe(true);
    expect(await isDetached(client.pid)).toBe(true);
  });
});

describe.runIf(hasInjector())('servers under load', () => {
  let bench: ServerBench;
  beforeEach(async () => {
    bench = await ServerBench.begin();
  });
  afterEach(() => bench?.end());
  const plain = { plain: true };

  test('redis and fifty clients of redis-benchmark: there and back, and no request is lost', async (ctx) => {
    requireTool(ctx, 'redis-server', 'redis-benchmark');
    const port = await freePort();
    const words = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const server = await bench.server(port, ['redis-server', ...words], plain);
    const load = bench.start(
      ['redis-benchmark', '-p', `${port}`, '-c', '50', '-n', '1000000000', '-t', 'incr', '-q'],
      plain,
    );
    const ends = async () => (await bench.ends(port)).length;
    await poll('all are connected', async () => (await ends()) >= 100);
    const forth = await migrate([server.pid, '--with-peers', '--timeout', 30]);
    expect(forth.connections, JSON.stringify(forth)).toEqual({ moved: 50, kept: 0, reasons: {} });
    expect(forth.processes.map(({ comm, named }) => ({ comm, named }))).toEqual([
      { comm: 'redis-server', named: true },
      { comm: 'redis-benchmark', named: false },
    ]);
    const back = await migrate([server.pid, load.pid, '--back']);
    expect(back.connections).toMatchObject({ moved: 0, kept: 50 });
    expect([server.running(), load.running()]).toEqual([true, true]);
    expect(load.said).not.toMatch(/error|reset/i);
    const counter = await bench.output(['redis-cli', '-p', `${port}`, 'get', 'counter:__rand_int__'], plain);
    expect(Number(counter)).toBeGreaterThan(0);
  });

  test('nginx as a family: its master too, so that workers of a later reload come with it', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'nginx', 'wrk');
    const port = await freePort();
    const conf = join(bench.folder, 'nginx.conf');
    writeFileSync(
      conf,
      `daemon off; user root; worker_processes 1; pid ${bench.folder}/pid; error_log ${bench.folder}/log; events {}
       http { access_log off; keepalive_requests 1000000000; server { listen 127.0.0.1:${port}; location / { return 200 "x"; } } }`,
    );
    const master = await bench.server(port, ['nginx', '-c', conf, '-p', bench.folder], plain);
    const wrk = bench.start(['wrk', '-t1', '-c8', '-d600', `http://127.0.0.1:${port}/`], plain);
    await poll('all are connected', async () => (await bench.ends(port)).length >= 16);
    const worker = family(master.pid)[1] as number;
    const forth = await migrate([master.pid, '--with-children', '--with-peers', '--timeout', 30]);
    expect(forth.processes.map(({ pid, named, state }) => ({ pid, named, state }))).toEqual([
      { pid: master.pid, named: true, state: 'attached' },
      { pid: worker, named: false, state: 'attached' },
      { pid: wrk.pid, named: false, state: 'attached' },
    ]);
    expect(forth.connections).toEqual({ moved: 8, kept: 0, reasons: {} });
    for (let turn = 0; turn < 3; turn++) {
      const before = family(master.pid).slice(1);
      process.kill(master.pid, 'SIGHUP');
      await poll('another worker is there alone', () => {
        const now = family(master.pid).slice(1);
        return now.length === 1 && !before.includes(now[0] as number) && hasIt(now[0] as number);
      });
      await poll('its connections move', async () => {
        const { connections } = await migrate([wrk.pid, '--timeout', 30]);
        return connections.moved === 8 && connections.kept === 0;
      });
    }
    const back = await migrate([master.pid, wrk.pid, '--with-children', '--back']);
    expect(back.processes.map(({ state }) => state)).toEqual(['detached', 'detached', 'detached']);
    expect(back.connections).toMatchObject({ moved: 0, kept: 8 });
    process.kill(wrk.pid, 'SIGINT');
    expect([master.running(), await wrk.over()]).toEqual([true, 0]);
    // A worker that leaves ends idle connections, which may cross a request, as without libsd; no answer is wrong or late.
    expect(wrk.said).toMatch(/requests in/);
    expect(wrk.said).not.toMatch(/Non-2xx|timeout [1-9]|connect [1-9]|write [1-9]/);
    expect(readFileSync(join(bench.folder, 'log'), 'utf8')).not.toMatch(/\[(alert|crit|emerg)\]/);
  });

  test('a family that makes children all the time', { timeout: 180_000 }, async (ctx) => {
    requireTool(ctx, 'cc');
    const calls = compiled('servers/calls');
    const server = bench.start([calls, 'serve', 'forking'], plain);
    const port = Number(/"port": ?(\d+)/.exec(await server.say('', /ready .*\n/))?.[1]);
    const client = bench.start([calls, 'ask', `${port}`], plain);
    ctx.onTestFailed(() => void process.stderr.write(`the server: ${server.said}\nthe client: ${client.said}\n`));
    const count = async () => Number(/\d+/.exec(await client.say('well?\n', /fine \d+\n/))?.[0]);
    await poll('all are connected', async () => (await bench.ends(port)).length >= 56);
    const args = [server.pid, client.pid, '--with-children'];
    const forth = await migrate([...args, '--timeout', 30]);
    expect(forth.processes.filter(({ state, code }) => state !== 'attached' && code !== 'gone')).toEqual([]);
    expect(forth.connections.moved).toBeGreaterThanOrEqual(28);
    expect(family(server.pid).filter((pid) => !hasItStill(pid))).toEqual([]);
    const before = await count();
    await poll('it goes on', async () => (await count()) > before + 100);
    const back = await migrate([...args, '--back', '--timeout', 30]);
    expect(back.processes.filter(({ state, code }) => state !== 'detached' && code !== 'gone')).toEqual([]);
    expect([server.running(), client.running()]).toEqual([true, true]);
    expect(server.said + client.said).not.toContain('wrong');
  });
});

/** True also of one that has ended meanwhile, which has no memory any more. */
function hasItStill(pid: number): boolean {
  try {
    return hasIt(pid) || readFileSync(`/proc/${pid}/maps`, 'utf8') === '';
  } catch {
    return true;
  }
}

describe.runIf(hasInjector())('what cannot be', () => {
  test('is refused with the reason: some of those named, or all', async () => {
    const fixed = join(folder, 'fixed');
    execFileSync('cc', ['-static', '-O1', '-pthread', '-o', fixed, PINGPONG]);
    const child = spawn(fixed, ['server', '0', '0'], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await once(child.stdout, 'data');
      const all = await migrate([child.pid as number, 1], 4);
      expect(all.processes).toMatchObject([
        { state: 'refused', code: 'static' },
        { pid: 1, state: 'refused', code: 'init' },
      ]);
      expect([all.monitor, existsSync(monitor)], 'no monitor is started for them').toEqual([undefined, false]);
      const { server } = await pair();
      const some = await migrate([server.pid, child.pid as number, '--timeout', 0], 1);
      expect(some.processes).toMatchObject([
        { pid: server.pid, state: 'attached' },
        { pid: child.pid, state: 'refused', code: 'static', reason: expect.stringMatching(/static/) },
      ]);
      expect(some.connections).toMatchObject({ moved: 0, kept: 1 });
    } finally {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
  });

  test('without permission: 3, and what would help', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'setpriv');
    const { server } = await pair();
    const user = [`--reuid=${OTHER_USER}`, `--regid=${OTHER_USER}`, '--clear-groups'];
    const args = [process.execPath, BIN, 'migrate', '--json', '--dry-run', `${server.pid}`];
    const { exitCode, stdout } = await execa('setpriv', [...user, ...args], { reject: false, cwd: '/' });
    expect(exitCode, stdout).toBe(3);
    const [refused] = JSON.parse(stdout).processes;
    expect(refused).toMatchObject({ pid: server.pid, state: 'refused', code: 'permission' });
    expect(refused.next).not.toBe('');
    expect(readFileSync(`/proc/${server.pid}/maps`, 'utf8')).not.toContain('libsd');
  });

  test.each([
    { args: [], code: 2, text: /pid/ },
    { args: ['x'], code: 2, text: /no process id/ },
    { args: ['1', '--timeout', 'soon'], code: 2, text: /no timeout/ },
    { args: ['4194304'], code: 4, text: /no process 4194304/ },
  ])('$args: exit code $code', async ({ args, code, text }) => {
    const result = await sockdoc(['migrate', '--json', ...args], { env: env() });
    expect(result.code).toBe(code);
    const { command, error } = JSON.parse(result.stdout);
    expect({ command, code: error.code }).toEqual({ command: 'migrate', code });
    expect(error.message).toMatch(text);
  });
});
