import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AdviseDocument, AdvisedPair } from '../../../src/model/advise.js';
import { BIN, sockdoc } from '../../support/cli.js';
import { hasLibsd } from '../../support/libsd.js';
import { poll, requireRoot, requireTool, withNetns } from '../../support/live.js';
import { freePort } from '../../support/ports.js';
import { expectValid } from '../../support/schemas.js';
import { ServerBench } from '../../support/servers.js';
import { startProgram, type Victim } from '../../support/victim.js';

const PINGPONG = fileURLToPath(new URL('../../../fixtures/programs/pingpong.c', import.meta.url));
const OTHER_USER = 65534;
/** Between two messages: what else is tested beside this wants CPU too. */
const PAUSE_US = 500;

let state: string;
const victims: Victim[] = [];

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'sockdoc-advise-'));
  chmodSync(state, 0o777);
});
afterEach(async () => {
  for (const victim of victims.splice(0).reverse()) await victim.stop();
  rmSync(state, { recursive: true, force: true });
});

async function start(...args: Parameters<typeof startProgram>): Promise<Victim> {
  const victim = await startProgram(...args);
  victims.push(victim);
  return victim;
}

const env = () => ({ SOCKDOC_STATE_DIR: state, SOCKDOC_MONITOR: join(state, 'none.sock') });

async function advise(...args: string[]): Promise<AdviseDocument> {
  const { stdout, stderr, code } = await sockdoc(['advise', '--json', ...args], { env: env() });
  expect({ stderr, code }, stdout).toEqual({ stderr: '', code: 0 });
  return JSON.parse(stdout);
}

/** Less than a thousandth of a CPU is nothing, either way. */
const verdictOf = (savedCores: number, worth: AdvisedPair['verdict'] = 'migrate') =>
  savedCores >= 0.001 ? worth : savedCores < -0.001 ? 'leave' : 'no-gain';

const pairOf = ({ pairs }: AdviseDocument, server: number) =>
  pairs.find((pair) => pair.server.pid === server) as AdvisedPair;

describe('a pair that talks all the time', () => {
  test('its traffic, its cost, the prediction and what that is made of', async () => {
    const server = await start('pingpong.c', ['server', 0, 0]);
    const client = await start('pingpong.c', ['client', server.ready.port, 64, 0]);
    const document = await advise('--pid', `${server.pid}`);
    await expectValid('advise', document);
    expect(document.pairs).toHaveLength(1);
    const [pair] = document.pairs as [AdvisedPair];
    expect(pair).toMatchObject({
      client: { pid: client.pid, comm: 'pingpong' },
      server: { pid: server.pid },
      ports: [server.ready.port],
      connections: 1,
      byMemory: 0,
      obstacles: [],
    });
    const { toServer, toClient, messagesPerS = 0, roundTripsPerS } = pair.traffic ?? {};
    expect(toServer?.bytesPerS).toBeCloseTo((toServer?.segmentsPerS ?? 0) * 64, -3);
    expect(messagesPerS).toBeCloseTo((toServer?.segmentsPerS ?? 0) + (toClient?.segmentsPerS ?? 0), 3);
    expect(roundTripsPerS).toBeGreaterThan(100);
    expect(pair.client.partOfTraffic).toBeGreaterThan(0.99);
    if (!hasLibsd) return;
    const { prediction, verdict } = pair;
    // On a crowded machine little would be saved, or less than nothing.
    const { socketPathCores = 0, savedCores = Number.NaN, undisturbedCores = 0 } = prediction ?? {};
    expect(socketPathCores).toBeGreaterThan(0);
    expect(savedCores).toBeLessThanOrEqual(socketPathCores + undisturbedCores);
    const { timesLessCpu = 0, timesLessCpuBetween: [least, most] = [0, 0] } = prediction ?? {};
    expect(timesLessCpu >= 1).toBe(savedCores >= 0);
    expect(least).toBeLessThanOrEqual(timesLessCpu);
    expect(most).toBeGreaterThanOrEqual(timesLessCpu);
    expect(verdict).toBe(verdictOf(savedCores));
    // Two messages of 64 B are cheaper by memory on any machine.
    const { byKernel, byMemory } = document.calibration as NonNullable<AdviseDocument['calibration']>;
    expect(byMemory.smallUs).toBeLessThan(byKernel.smallUs);
    expect(byMemory.smallRoundTripUs).toBeLessThan(byKernel.smallRoundTripUs);
  });

  test('as text, with the figures of the model, and the first line that says how many', async () => {
    const server = await start('pingpong.c', ['server', 0, 0]);
    await start('pingpong.c', ['client', server.ready.port, 64, PAUSE_US]);
    const { stdout, code } = await sockdoc(['advise', '--pid', `${server.pid}`], { env: env() });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^1 pair of processes/);
    expect(stdout).toMatch(new RegExp(`pingpong \\d+ +pingpong ${server.pid} `));
    if (hasLibsd) expect(stdout).toMatch(/CPU of sending and receiving 64 B [\d.]+ µs by\s+the kernel/);
  });

  test('without root: what this user sees, estimated, and what is not seen', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'setpriv');
    const user = ['setpriv', `--reuid=${OTHER_USER}`, `--regid=${OTHER_USER}`, '--clear-groups'];
    // The user must reach the program: it is put where all may go.
    const program = join(state, 'pingpong');
    execFileSync('cc', ['-O1', '-pthread', '-o', program, PINGPONG]);
    const children = [];
    const said = (child: ReturnType<typeof spawn>) => once(child.stdout as NodeJS.ReadableStream, 'data').then(String);
    try {
      const server = spawn(user[0] as string, [...user.slice(1), program, 'server', '0', '0'], { stdio: 'pipe' });
      children.push(server);
      const { port } = JSON.parse((await said(server)).slice('ready '.length));
      children.push(
        spawn(user[0] as string, [...user.slice(1), program, 'client', `${port}`, '64', `${PAUSE_US}`], {
          stdio: 'ignore',
        }),
      );
      const { stdout, exitCode } = await execa(
        user[0] as string,
        [...user.slice(1), process.execPath, BIN, 'advise', '--json'],
        { env: env(), reject: false, cwd: '/' },
      );
      expect(exitCode, stdout).toBe(0);
      const document: AdviseDocument = JSON.parse(stdout);
      const pair = pairOf(document, server.pid as number);
      expect(pair).toMatchObject({ client: { comm: 'pingpong', uid: OTHER_USER }, obstacles: [] });
      if (hasLibsd) expect(pair.prediction?.source).toBe('estimated');
      expect(document.gaps.map(({ needs }) => needs).join()).toMatch(/CAP_/);
    } finally {
      for (const child of children.reverse()) {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }
    }
  });

  test('in two network namespaces', async (ctx) => {
    requireRoot(ctx);
    await withNetns(async (ns) => {
      const other = await ns.peer();
      const server = await other.start('metronome.py', 'serve', '10.99.0.2', 0);
      const client = await ns.start('metronome.py', 'ask', '10.99.0.2', server.ready.port, 300);
      const document = await advise('--pid', `${client.pid}`);
      expect(document.pairs).toHaveLength(1);
      expect(document.pairs[0]).toMatchObject({
        client: { pid: client.pid, netns: ns.name },
        server: { pid: server.pid, netns: other.name },
      });
      expect(document.pairs[0]?.traffic?.messagesPerS).toBeGreaterThan(30);
    });
  });
});

describe.runIf(hasLibsd)('what messages cost', () => {
  const file = () => join(state, 'calibration.json');
  const calibrated = async (...args: string[]) => {
    const { calibration } = await advise('--window', '100', ...args);
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual(calibration);
    return calibration as NonNullable<AdviseDocument['calibration']>;
  };

  test('is measured once, anew when somebody wants it, and again where others disturbed it: then the cheapest counts', async () => {
    const first = await calibrated();
    const { othersPercent } = first;
    expect(othersPercent).toBeGreaterThanOrEqual(0);
    const byKernel = { ...first.byKernel, smallUs: 0.001, wakeUpUs: 1e6 };
    const quiet = { ...first, byKernel, othersPercent: 20 };
    writeFileSync(file(), JSON.stringify(quiet));
    expect(await calibrated()).toEqual(quiet);
    writeFileSync(file(), JSON.stringify({ ...quiet, othersPercent: 21 }));
    const again = await calibrated();
    expect(again.byKernel.smallUs).toBe(0.001);
    expect(again.byKernel.wakeUpUs).toBeLessThan(1e6);
    expect(again.measuredAt).not.toBe(first.measuredAt);
    expect(again.times).toBe(2);
    const often = { ...quiet, othersPercent: 90, times: 5 };
    writeFileSync(file(), JSON.stringify(often));
    expect(await calibrated()).toEqual(often);
    expect((await calibrated('--calibrate')).byKernel.smallUs).toBeGreaterThan(0.001);
    writeFileSync(file(), JSON.stringify({ ...quiet, bootId: 'another' }));
    expect((await calibrated()).byKernel.smallUs).toBeGreaterThan(0.001);
  });
});

describe('what stands in the way', () => {
  test('a static program, and one that is traced', async (ctx) => {
    requireTool(ctx, 'strace');
    const fixed = join(state, 'fixed');
    execFileSync('cc', ['-static', '-O1', '-pthread', '-o', fixed, PINGPONG]);
    const server = await start('pingpong.c', ['server', 0, 0]);
    const client = spawn(fixed, ['client', `${server.ready.port}`, '64', `${PAUSE_US}`], { stdio: 'ignore' });
    const tracer = spawn('strace', ['-qq', '-e', 'trace=none', '-o', '/dev/null', '-p', `${server.pid}`], {
      stdio: 'ignore',
    });
    try {
      await poll('it is traced', () => /^TracerPid:\t[1-9]/m.test(readFileSync(`/proc/${server.pid}/status`, 'utf8')));
      const { obstacles } = pairOf(await advise('--pid', `${server.pid}`), server.pid);
      expect(obstacles).toEqual([
        expect.objectContaining({ pid: client.pid, code: 'static', blocks: true }),
        expect.objectContaining({ pid: server.pid, code: 'traced', blocks: true }),
      ]);
    } finally {
      for (const child of [tracer, client]) {
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
      }
    }
  });

  test('processes of two users share no memory without a policy that says so', async (ctx) => {
    requireRoot(ctx);
    requireTool(ctx, 'setpriv');
    const server = await start('pingpong.c', ['server', 0, 0]);
    const program = join(state, 'pingpong');
    execFileSync('cc', ['-O1', '-pthread', '-o', program, PINGPONG]);
    const user = [`--reuid=${OTHER_USER}`, `--regid=${OTHER_USER}`, '--clear-groups'];
    const client = spawn('setpriv', [...user, program, 'client', `${server.ready.port}`, '64', `${PAUSE_US}`], {
      stdio: 'ignore',
    });
    try {
      await poll(
        'they talk',
        async () => pairOf(await advise('--window', '100'), server.pid)?.client.comm === 'pingpong',
      );
      const { obstacles, verdict, prediction } = pairOf(await advise('--pid', `${server.pid}`), server.pid);
      expect(obstacles).toEqual([expect.objectContaining({ code: 'policy', blocks: true })]);
      if (hasLibsd) expect(verdict).toBe(verdictOf(prediction?.savedCores ?? 0, 'blocked'));
    } finally {
      const gone = once(client, 'exit');
      client.kill('SIGKILL');
      await gone;
    }
  });
});

describe.runIf(hasLibsd)('three servers', () => {
  let bench: ServerBench;
  beforeEach(async () => {
    bench = await ServerBench.begin();
  });
  afterEach(() => bench?.end());

  /** CPU time of a process so far, as the scheduler counts it. */
  const cpuNs = (pid: number) => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);

  test('rank by what they would gain: redis under full load, nginx that gets little CPU, memcached that is hardly asked', async (ctx) => {
    requireTool(ctx, 'redis-server', 'redis-benchmark', 'nginx', 'wrk', 'memcached');
    const [redisPort, nginxPort, memcachedPort] = [await freePort(), await freePort(), await freePort()];
    const plain = { plain: true };
    const redis = await bench.server(
      redisPort,
      ['redis-server', '--port', `${redisPort}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      plain,
    );
    const conf = join(bench.folder, 'nginx.conf');
    writeFileSync(
      conf,
      `daemon off; master_process off; pid ${bench.folder}/pid; error_log /dev/null; events {}
       http { access_log off; keepalive_requests 1000000000; server { listen 127.0.0.1:${nginxPort}; location / { return 200 "x"; } } }`,
    );
    const nginx = await bench.server(nginxPort, ['nice', '-n', '19', 'nginx', '-c', conf, '-p', bench.folder], plain);
    const memcached = await bench.server(
      memcachedPort,
      ['memcached', '-t', '1', '-p', `${memcachedPort}`, '-U', '0', '-l', '127.0.0.1', '-u', 'root'],
      plain,
    );
    bench.start(['redis-benchmark', '-p', `${redisPort}`, '-c', '50', '-n', '1000000000', '-t', 'get', '-q'], plain);
    bench.start(['nice', '-n', '19', 'wrk', '-t1', '-c2', '-d600', `http://127.0.0.1:${nginxPort}/`], plain);
    await start('asking.py', [memcachedPort, 20]);
    const servers = [redis.pid, nginx.pid, memcached.pid];
    // Whoever else is on this machine, the loads must be as they are meant, by what the scheduler counted.
    const ranked = await poll(
      'three loads far from each other',
      async () => {
        const before = servers.map(cpuNs);
        const document = await advise('--window', '1000', '--pid', servers.join(','));
        const [a = 0, b = 0, c = 0] = servers.map((pid, at) => cpuNs(pid) - (before[at] ?? 0));
        return a > 3 * b && b > 3 * c && document;
      },
      { everyMs: 200 },
    );
    expect(ranked.pairs.map(({ server }) => server.pid)).toEqual(servers);
    const [first, second, third] = ranked.pairs.map(({ prediction }) => prediction?.socketPathCores ?? Number.NaN);
    expect(first).toBeGreaterThan(second as number);
    expect(second).toBeGreaterThan(third as number);
    expect(['no-gain', 'leave'], 'twenty questions a second').toContain(ranked.pairs[2]?.verdict);
    expect(ranked.pairs[0]?.connections).toBe(50);
  });
});

describe('what cannot be', () => {
  test.each([
    { args: ['--pid', 'x'], code: 2, text: /no process id/ },
    { args: ['--window', '5'], code: 2, text: /at least 100 ms/ },
    { args: ['--limit', '0'], code: 2, text: /no limit/ },
    { args: ['--pid', '4194304'], code: 4, text: /no process 4194304/ },
  ])('$args: exit code $code', async ({ args, code, text }) => {
    const result = await sockdoc(['advise', '--json', ...args], { env: env() });
    expect(result.code).toBe(code);
    expect(JSON.parse(result.stdout)).toMatchObject({ command: 'advise', error: { code } });
    expect(JSON.parse(result.stdout).error.message).toMatch(text);
  });

  test.runIf(hasLibsd)('Ctrl-C leaves neither a process nor a file, also while it calibrates', async () => {
    const marker = `of-${process.pid}-${Date.now()}`;
    const run = execa(process.execPath, [BIN, 'advise', '--window', '60000'], {
      env: { ...env(), TMPDIR: state, ADVISE_TEST: marker },
      reject: false,
    });
    const ours = () => processesWith(`ADVISE_TEST=${marker}`).filter((pid) => pid !== run.pid);
    await poll('it calibrates', () => ours().length > 2, { everyMs: 5 });
    run.kill('SIGINT');
    expect((await run).exitCode).toBe(130);
    await poll('all have ended', () => ours().length === 0);
    expect(readdirSync(state)).toEqual([]);
  });
});

/** Processes with this in their environment. */
function processesWith(variable: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(variable);
      } catch {
        return false;
      }
    });
}
