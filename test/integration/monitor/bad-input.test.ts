import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sockdoc } from '../../support/cli.js';
import { requireRoot } from '../../support/live.js';
import { connected, MonitorBench, paired } from '../../support/monitor.js';
import { poll } from '../../support/poll.js';
import { expectValid } from '../../support/schemas.js';

const NOBODY = 65534;
let bench: MonitorBench;

beforeEach(() => {
  bench = new MonitorBench();
});

afterEach(() => bench.remove());

test('start, a second start, status, stop, and stop again', async () => {
  const socket = ['--socket', bench.socket];
  const started = await sockdoc(['monitor', 'start', '--json', ...socket]);
  expect(started.code, started.stderr).toBe(0);
  const { pid, ...document } = JSON.parse(started.stdout);
  await expectValid('monitor-start', { pid, ...document });
  try {
    const second = await sockdoc(['monitor', 'start', '--json', ...socket]);
    expect(second.code).toBe(4);
    expect(JSON.parse(second.stdout).error.message).toBe(`a monitor runs here already, pid ${pid}`);
    const status = await sockdoc(['monitor', 'status', ...socket]);
    expect(status.code).toBe(0);
    expect(status.stdout).toContain(`pid ${pid}`);
  } finally {
    const stopped = await sockdoc(['monitor', 'stop', '--json', ...socket]);
    expect(stopped.code, stopped.stderr).toBe(0);
    await expectValid('monitor-stop', JSON.parse(stopped.stdout));
  }
  expect(existsSync(`/proc/${pid}`) && existsSync(bench.socket)).toBe(false);
  expect(JSON.parse((await sockdoc(['monitor', 'stop', '--json', ...socket])).stdout).stopped).toBe(false);
  const none = await sockdoc(['monitor', 'status', '--json', ...socket]);
  expect(none.code).toBe(1);
  await expectValid('monitor', JSON.parse(none.stdout));
});

test.each([
  ['SIGTERM', 0],
  ['SIGKILL', undefined],
] as const)('in the foreground it ends with %s to the command', async (signal, code) => {
  const running = execa(
    process.execPath,
    ['bin/run.js', 'monitor', 'start', '--foreground', '--socket', bench.socket],
    {
      reject: false,
    },
  );
  await poll('it listens', async () => existsSync(bench.socket));
  running.kill(signal);
  expect((await running).exitCode).toBe(code);
  await poll('it is gone', async () => !existsSync(bench.socket));
});

test('a stale socket is taken over, a file that is none is not', async () => {
  const former = createServer().listen(bench.socket);
  await new Promise((resolve) => former.once('listening', resolve));
  // As after kill -9: the name is there, and nobody holds the lock.
  expect(await bench.monitor()).toHaveProperty('pid');
  former.close();
  const file = `${bench.folder}/file`;
  writeFileSync(file, 'precious');
  expect(await bench.monitor([], { socket: file })).toMatchObject({
    error: { code: 2, message: expect.stringMatching(/no socket/) },
  });
  expect(existsSync(file)).toBe(true);
  const long = `${bench.folder}/${'x'.repeat(120)}`;
  expect(await bench.monitor([], { socket: long })).toMatchObject({
    error: { code: 2, message: expect.stringMatching(/too long/) },
  });
});

test('a policy with mistakes: line and column, and no start', async () => {
  const policy = `${bench.folder}/policy`;
  writeFileSync(policy, '# fine\nallow uid=0 with\ndeny port=0-99999\n');
  const checked = await sockdoc(['monitor', 'policy', 'check', policy]);
  expect(checked.code).toBe(2);
  expect(checked.stderr).toContain(`${policy}:2:17: nothing after "with"`);
  expect(checked.stderr).toContain(`${policy}:3:11: "0-99999" is unknown here or out of range`);
  const json = JSON.parse((await sockdoc(['monitor', 'policy', 'check', policy, '--json'])).stdout);
  await expectValid('monitor-policy', json);
  expect(json).toMatchObject({
    ok: false,
    errors: [
      { line: 2, column: 17 },
      { line: 3, column: 11 },
    ],
  });
  const start = await sockdoc(['monitor', 'start', '--socket', bench.socket, '--policy', policy]);
  expect(start.code).toBe(2);
  expect(start.stderr).toContain(`${policy}:2:17:`);
  expect(existsSync(bench.socket)).toBe(false);
  writeFileSync(policy, 'allow uid=0 with any\n');
  expect(await sockdoc(['monitor', 'policy', 'check', policy])).toMatchObject({
    code: 0,
    stdout: `${policy} is fine: 1 rule\n`,
  });
  expect((await sockdoc(['monitor', 'policy', 'check', `${policy}.none`])).code).toBe(2);
});

test('an ordinary user has a monitor for his own processes, and may not stop another’s', async (ctx) => {
  requireRoot(ctx);
  const folder = bench.folderFor(NOBODY, 0o700);
  await execa('chown', [String(NOBODY), folder]);
  const socket = `${folder}/monitor.sock`;
  const monitor = await bench.running([], { uid: NOBODY, socket });
  const client = async (how: string) => {
    const made = await bench.client({ silent: true, args: [socket] });
    expect(await made.ask(`become ${NOBODY} ${how}`)).toBe('became ok');
    expect(await made.ask('hello')).toBe(`welcome ${monitor.pid}`);
    return made;
  };
  const [one, two, hidden] = [await client('seen'), await client('seen'), await client('hidden')];
  for (const answer of await paired(one, two, await connected(one, two))) expect(answer.outcome).toBe('shared');
  const { from } = await connected(hidden, two);
  const answer = await hidden.answer(`pair ${from}`);
  expect(answer).toMatchObject({ outcome: 'kernel', memory: 0, reason: expect.stringMatching(/may not read/) });
  expect(await monitor.end('SIGTERM')).toBe(0);

  await bench.running();
  const stop = await execa(
    'setpriv',
    [
      `--reuid=${NOBODY}`,
      '--clear-groups',
      process.execPath,
      'bin/run.js',
      'monitor',
      'stop',
      '--socket',
      bench.socket,
    ],
    { reject: false },
  );
  expect([stop.exitCode, stop.stderr]).toEqual([3, expect.stringMatching(/only root and the user/)]);
});

test('a folder that others may change, or that may not be written, is refused', async (ctx) => {
  requireRoot(ctx);
  const open = bench.folderFor(1, 0o777);
  expect(await bench.monitor([], { socket: `${open}/m.sock` })).toMatchObject({ error: { code: 3 } });
  const closed = bench.folderFor(2, 0o755);
  expect(await bench.monitor([], { uid: NOBODY, socket: `${closed}/m.sock` })).toMatchObject({
    error: { code: 3, message: expect.stringMatching(/Permission denied/) },
  });
  // The private place in /tmp, taken by somebody else.
  const taken = `/tmp/sockdoc-${NOBODY}`;
  if (existsSync(taken)) return;
  mkdirSync(taken);
  try {
    expect(await bench.monitor([], { uid: NOBODY, socket: `${taken}/monitor.sock` })).toMatchObject({
      error: { code: 3 },
    });
  } finally {
    rmSync(taken, { recursive: true });
  }
});
