import { spawn, spawnSync } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConnectionsDocument } from '../../src/model/views/connections.js';
import { width } from '../../src/report/layout.js';
import { BIN, sockdoc } from '../support/cli.js';
import { poll } from '../support/poll.js';
import { expectValid } from '../support/schemas.js';

let server: Server;
let ours: string[];
beforeAll(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  ours = ['--filter', `lport:${(server.address() as { port: number }).port}`];
});
afterAll(() => server.close());

describe('wrong use is exit 2 with what was expected', () => {
  test.each([
    [['--state', 'establishd'], 'there is no state "establishd"; did you mean established'],
    [['--sort', 'size'], '--sort'],
    [['--sort', 'tx'], 'tx is known only over a window'],
    [['--filter', 'age>1s'], 'age is known only over a window'],
    [['--filter', 'rt>5'], 'there is no field "rt"'],
    [['--limit', '0'], '"0" is no limit'],
    [['--interval', '500'], '--watch'],
    [['--watch', '--interval', '10'], '"10" is no interval'],
    [['--pid', 'x'], '"x" is no process id'],
    [['more'], 'unexpected argument'],
  ] as const)('%j', async (args, message) => {
    const { code, stdout, stderr } = await sockdoc(['conns', ...args]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/Example: sockdoc conns|Example: state:/);
  });

  test('a process that is not there is exit 4, as a document under --json', async () => {
    const { code, stdout } = await sockdoc(['conns', '--json', '--pid', '4194999']);
    expect(code).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ command: 'conns', error: { kind: 'not-possible' } });
  });
});

test('the table has the listener with its process', async () => {
  const { code, stdout, stderr } = await sockdoc(['conns', ...ours], { env: { COLUMNS: '70' } });
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^listen +127\.0\.0\.1:\d+ /m);
  for (const line of stdout.split('\n')) expect(width(line)).toBeLessThanOrEqual(70);
  const own = await sockdoc(['conns', '--json', '--pid', String(process.pid), ...ours]);
  const document = JSON.parse(own.stdout) as ConnectionsDocument;
  await expectValid('conns', document);
  expect(document.connections).toMatchObject([{ state: 'listen', pid: process.pid }]);
});

/** Watches with these arguments until `enough` of what it printed, and ends it by the signal. */
async function watched(args: string[], enough: (stdout: string) => boolean, signal: NodeJS.Signals = 'SIGINT') {
  const child = spawn(process.execPath, [BIN, 'conns', '--watch', '--interval', '100', ...ours, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  try {
    await poll('enough was printed', () => enough(stdout) || child.exitCode !== null);
  } finally {
    child.kill(signal);
  }
  return { code: await ended, stdout, stderr };
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('--watch --json is a document on each line until %s', async (signal, code) => {
  const result = await watched(['--json'], (text) => text.split('\n').length > 3, signal);
  expect(result).toMatchObject({ code, stderr: '' });
  const documents = result.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ConnectionsDocument);
  expect(documents.length).toBeGreaterThanOrEqual(3);
  for (const document of documents) await expectValid('conns', document);
  expect(documents[0]?.windowMs).toBe(0);
  expect(documents[1]?.windowMs).toBeGreaterThan(0);
  expect(documents[1]?.connections).toMatchObject([{ state: 'listen' }]);
});

test('--watch without a terminal prints one table below the other', async () => {
  const { code, stdout, stderr } = await watched([], (text) => text.split('\nlisten ').length > 2);
  expect([code, stderr]).toEqual([130, '']);
  expect(stdout).not.toContain('\u001b');
  expect(stdout).toContain('one reading');
  expect(stdout).toContain('window');
});

test.skipIf(spawnSync('script', ['--version']).status !== 0)('--watch on a terminal draws in one place', () => {
  const command = `stty cols 80 rows 12; timeout --preserve-status -s INT 4 "${process.execPath}" "${BIN}" conns --watch --interval 200 --state all`;
  const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', TERM: 'xterm' },
  });
  expect(status).toBe(130);
  const frames = stdout.split('\u001b[?7l').slice(1);
  expect(frames.length).toBeGreaterThan(1);
  for (const [i, frame] of frames.entries()) {
    const lines = frame.split('\n').length - 1;
    expect(lines).toBeLessThan(12);
    if (i === 0) continue;
    const before = (frames[i - 1] as string).split('\n').length - 1;
    expect(frame.startsWith(`\u001b[${before}A\r`)).toBe(true);
  }
  expect(stdout).toContain('\u001b[1m');
});
