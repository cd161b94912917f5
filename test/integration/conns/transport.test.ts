import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { usersSockets } from '../../../src/control/monitor/places.js';
import type { ConnectionRow } from '../../../src/model/views/connections.js';
import { readTransports } from '../../../src/services/watch/transports.js';
import { sockdoc } from '../../support/cli.js';
import { LAUNCHER } from '../../support/launch.js';
import { hasLibsd } from '../../support/libsd.js';
import { poll, requireRoot } from '../../support/live.js';
import { MonitorBench } from '../../support/monitor.js';
import { expectValid } from '../../support/schemas.js';

const ECHO = fileURLToPath(new URL('../../../fixtures/programs/ring_echo.py', import.meta.url));
/** One that all users may run, whatever stands before it in PATH. */
const PYTHON = '/usr/bin/python3';
const NO_MONITOR = '/nonexistent/monitor.sock';

const children: ChildProcess[] = [];
let bench: MonitorBench | undefined;

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  await bench?.remove();
  bench = undefined;
});

/** Starts one and gives its first line. */
async function started(command: readonly string[]): Promise<{ pid: number; line: string }> {
  const env = { ...process.env, SOCKDOC_AFTER_CALLS: '1' };
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'], env });
  children.push(child);
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`${command.join(' ')}: exit ${code}`)));
  ended.catch(() => undefined);
  const [line] = await Promise.race([once(child.stdout, 'data'), ended]);
  return { pid: child.pid as number, line: String(line).trim() };
}

/** Both ends of a connection that is in use, each started by the words given. */
async function talking(serve: readonly string[], call: readonly string[]): Promise<{ server: number; client: number }> {
  const server = await started([...serve, PYTHON, ECHO, 'serve']);
  const client = await started([...call, PYTHON, ECHO, 'call', server.line]);
  return { server: server.pid, client: client.pid };
}

/** The one connection of a process, as `sockdoc conns` has it. */
async function connectionOf(pid: number, monitor: string): Promise<ConnectionRow> {
  const args = ['conns', '--json', '--window', '0', '--pid', String(pid), '--filter', 'state=established'];
  const { stdout, stderr, code } = await sockdoc(args, { env: { SOCKDOC_MONITOR: monitor } });
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  const { connections } = JSON.parse(stdout);
  expect(connections).toHaveLength(1);
  return connections[0];
}

test('without a monitor: the kernel, and that none runs', async () => {
  const { server } = await talking([], []);
  expect(await connectionOf(server, NO_MONITOR)).toMatchObject({ transport: 'kernel', reason: 'no monitor runs' });
});

describe.runIf(hasLibsd)('with a monitor', () => {
  test('shared memory between two that run so, and top says the same', async () => {
    bench = new MonitorBench();
    await bench.running();
    const { socket } = bench;
    const run = [LAUNCHER, 'run', '--transport', 'shm', '--socket', socket, '--'];
    const { server, client } = await talking(run, run);
    const shared = async (pid: number) => (await connectionOf(pid, socket)).transport === 'shm';
    await poll('both ends go by shared memory', async () => (await shared(server)) && (await shared(client)), {
      deadlineMs: 50_000,
    });
    expect(await connectionOf(client, socket)).not.toHaveProperty('reason');
    const env = { SOCKDOC_MONITOR: socket };
    const status = JSON.parse((await sockdoc(['monitor', 'status', '--json'], { env })).stdout);
    await expectValid('monitor', status);
    expect(status.ends.map((end: { transport: string }) => end.transport)).toEqual(['shm', 'shm']);
    // The kernel counts none of these bytes, and thinks that the connection is idle.
    const { stdout } = await sockdoc(['conns', '--json', '--window', '1000', '--pid', `${server}`], { env });
    const row: ConnectionRow = JSON.parse(stdout).connections.find((one: ConnectionRow) => one.state === 'established');
    const said = status.ends.find((end: { cookie: string }) => end.cookie === row.cookie);
    expect(said.sentBytes).toBeGreaterThan(0);
    expect(row.bytesSent).toBeGreaterThan(said.sentBytes);
    expect(row.bytesReceived).toBeGreaterThan(said.receivedBytes);
    expect(row.rates?.sendBps).toBeGreaterThan(0);
    expect(row.rates?.receiveBps).toBeGreaterThan(0);
    expect(row).not.toHaveProperty('idleMs');
    expect(row).not.toHaveProperty('limitedBy');
    const top = await sockdoc(['top', '--once', '--json', '--filter', 'transport=shm'], { env });
    const pids = JSON.parse(top.stdout).connections.map((row: ConnectionRow) => row.pid);
    expect(pids.sort()).toEqual([server, client].sort());
  });

  test('root sees what users’ own monitors say, of their own sockets only', async (ctx) => {
    requireRoot(ctx);
    bench = new MonitorBench();
    // Whose names for folders no other test has.
    const honest = randomInt(100_000, 2_000_000_000);
    const liar = honest + 1;
    const folders = [honest, liar].map((uid) => {
      const folder = `/tmp/sockdoc-${uid}`;
      mkdirSync(folder, { mode: 0o700 });
      chownSync(folder, uid, uid);
      return folder;
    });
    const lies = createServer();
    try {
      const socket = `${folders[0]}/monitor.sock`;
      await bench.running([], { uid: honest, socket });
      const run = ['setpriv', `--reuid=${honest}`, `--regid=${honest}`, '--clear-groups', LAUNCHER];
      const words = [...run, 'run', '--transport', 'shm', '--socket', socket, '--'];
      const { server, client } = await talking(words, words);
      const shared = async (pid: number) => (await connectionOf(pid, '')).transport === 'shm';
      await poll('both ends go by shared memory', async () => (await shared(server)) && (await shared(client)), {
        deadlineMs: 50_000,
      });

      const { server: plain } = await talking([], []);
      const { cookie } = await connectionOf(plain, '');
      const texts = [
        JSON.stringify({
          clients: [{ pid: plain, comm: 'python3', uid: liar, connections: 1 }],
          ends: [{ cookie, transport: 'shm' }],
        }),
        '{}',
        '[]',
        'null',
        '{"clients":[],"ends":[{"cookie":1}]}',
        'no JSON',
      ];
      let asked = 0;
      lies.on('connection', (peer) =>
        peer
          .on('error', () => {})
          .once('data', () => {
            const text = texts[asked++ % texts.length] as string;
            const header = Buffer.alloc(16);
            header.writeUInt32LE(16 + Buffer.byteLength(text), 0);
            header.writeUInt16LE(1, 4);
            header.writeUInt16LE(72, 6);
            peer.write(Buffer.concat([header, Buffer.from(text)]));
          }),
      );
      const place = `${folders[1]}/monitor.sock`;
      await once(lies.listen(place), 'listening');
      chownSync(place, liar, liar);
      for (const text of texts) {
        const reason = 'its process is not under libsd';
        expect(await connectionOf(plain, ''), text).toMatchObject({ transport: 'kernel', reason });
      }
      expect(asked).toBeGreaterThanOrEqual(texts.length);
      const known = async () => (await usersSockets()).some(({ socket }) => socket === place);
      expect(await known()).toBe(true);
      chownSync(place, honest, honest);
      expect(await known(), 'a socket that somebody else put there is not asked').toBe(false);
    } finally {
      lies.close();
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    }
  });

  test('a user’s monitor that says nothing is asked once, not at each reading', async (ctx) => {
    requireRoot(ctx);
    const uid = randomInt(100_000, 2_000_000_000);
    const folder = `/tmp/sockdoc-${uid}`;
    let asked = 0;
    const silent = createServer((peer) => peer.on('error', () => {}).once('data', () => (asked += 1)));
    try {
      mkdirSync(folder, { mode: 0o700 });
      chownSync(folder, uid, uid);
      const place = `${folder}/monitor.sock`;
      await once(silent.listen(place), 'listening');
      chownSync(place, uid, uid);
      await readTransports();
      await readTransports();
      expect(asked).toBe(1);
    } finally {
      silent.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('the reason, where one end or both stay on the kernel', async () => {
    bench = new MonitorBench();
    await bench.running();
    const { socket } = bench;
    const run = [LAUNCHER, 'run', '--transport', 'shm', '--socket', socket, '--'];
    const { server, client } = await talking(run, []);
    await poll('the server has asked', async () => /peer/.test((await connectionOf(server, socket)).reason ?? ''));
    expect(await connectionOf(client, socket)).toMatchObject({
      transport: 'kernel',
      reason: 'its process is not under libsd',
    });
  });
});
