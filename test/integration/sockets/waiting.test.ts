import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compiled, hasLibsd, outcome, preloaded } from '../../support/libsd.js';
import { MonitorBench } from '../../support/monitor.js';
import { poll } from '../../support/poll.js';
import { freePort } from '../../support/ports.js';

const installed = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

const PROGRAMS = [
  'epoll_edges',
  'epoll_kinds',
  'epoll_many',
  'epoll_places',
  'epoll_threads',
  'readiness',
  'waits_and_signals',
  'waits_and_threads',
];

// Whoever waits by poll, select or epoll sees the same whether the kernel or a ring carried the bytes.
describe.runIf(hasLibsd)('waiting for connections that went over to shared memory', () => {
  let bench: MonitorBench;
  let server: ChildProcess | undefined;
  beforeEach(() => {
    bench = new MonitorBench();
  });
  afterEach(async () => {
    if (server && server.exitCode === null && server.signalCode === null) {
      const gone = once(server, 'exit');
      server.kill('SIGTERM');
      await gone;
    }
    server = undefined;
    await bench.remove();
  });

  const env = (more: Record<string, string> = {}) => ({
    ...preloaded,
    SOCKDOC_MONITOR: bench.socket,
    SOCKDOC_AFTER_CALLS: '1',
    ...more,
  });

  it.each(PROGRAMS)('%s', async (name) => {
    await bench.running();
    const program = compiled(`sockets/${name}`);
    const plain = outcome([program]);
    expect(plain).toMatchObject({ status: 0, signal: null });
    for (const spin of ['0', '30', '2000']) {
      expect(outcome([program], env({ SOCKDOC_SPIN_US: spin })), `spinning ${spin} us`).toEqual(plain);
    }
  });

  it('Python: selectors and asyncio', async ({ skip }) => {
    if (!installed('python3')) skip('python3 is not installed');
    await bench.running();
    const program = ['python3', fileURLToPath(new URL('../../../fixtures/programs/libsd/echoing.py', import.meta.url))];
    const plain = outcome(program);
    expect(plain).toMatchObject({ status: 0, stderr: '' });
    expect(plain.stdout).toContain('asyncio: ');
    expect(outcome(program, env(), 120)).toEqual(plain);
  });

  it('redis-server and redis-benchmark', async ({ skip }) => {
    if (!installed('redis-server') || !installed('redis-benchmark')) skip('redis is not installed');
    await bench.running();
    const socket = join(bench.folder, 'redis.sock');
    const port = await freePort();
    const said = openSync(join(bench.folder, 'redis.log'), 'w');
    const options = { env: { ...process.env, ...env() }, cwd: bench.folder };
    server = spawn('redis-server', ['--port', `${port}`, '--save', '', '--unixsocket', socket], {
      ...options,
      stdio: ['ignore', said, said],
    });
    closeSync(said);
    const ask = (...words: string[]) => outcome(['redis-cli', '-s', socket, ...words]).stdout.trim();
    await poll('redis answers', async () => {
      if (server?.exitCode !== null) throw new Error(readFileSync(join(bench.folder, 'redis.log'), 'utf8'));
      return ask('ping') === 'PONG';
    });
    for (const clients of ['1', '20']) {
      const load = ['redis-benchmark', '-p', `${port}`, '-c', clients, '-n', '10000', '-t', 'set,incr', '-r', '50'];
      const run = outcome([...load, '--csv'], env(), 120);
      expect(run, run.stderr).toMatchObject({ status: 0, signal: null });
    }
    // It writes its title over its environment, and the clients connect without waiting: neither keeps them from the rings.
    expect(readFileSync(`/proc/${server.pid}/maps`, 'utf8')).toContain('memfd:sockdoc-slab');
    // Every INCR arrived, once.
    const sum = ask(
      'eval',
      "local s = 0 for _, k in ipairs(redis.call('keys', 'counter:*')) do s = s + redis.call('get', k) end return s",
      '0',
    );
    expect(Number(sum)).toBe(20000);
  });
});
