import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { Frame } from '../../src/model/views/frame.js';
import { width } from '../../src/report/layout.js';
import { schemas } from '../../src/services/schema/schemas.js';
import { BIN, sockdoc } from '../support/cli.js';
import { requireRoot } from '../support/live.js';
import { RECORDING } from '../support/recording.js';

const ajv = new Ajv({ strict: false, allErrors: true });
formats.default(ajv);
const validate = ajv.compile(schemas(['top']).schemas[0]?.schema ?? {});

function frames(text: string): Frame[] {
  const parsed = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Frame);
  for (const frame of parsed) {
    validate(frame);
    expect(validate.errors ?? []).toEqual([]);
  }
  return parsed;
}

test('the screen without a terminal: exit 2, and what to use instead', async () => {
  const { code, stdout, stderr } = await sockdoc(['top']);
  expect(code).toBe(2);
  expect(stdout).toBe('');
  for (const way of ['top --once', 'top --json', 'conns --watch']) expect(stderr).toContain(way);
});

test('one frame of this host as a document, with rates', async () => {
  const { code, stdout } = await sockdoc(['top', '--once', '--json', '--interval', '200']);
  expect(code).toBe(0);
  const [frame, ...more] = frames(stdout);
  expect(more).toEqual([]);
  expect(frame?.intervalMs).toBeGreaterThan(0);
});

test('a developer’s NODE_ENV changes nothing: React would note down every screen', async () => {
  const tell = "process.on('exit', () => console.log('runs as', process.env.NODE_ENV));";
  const { stdout } = await sockdoc(['top', '--help'], {
    env: { NODE_ENV: 'development', NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(tell)}"` },
  });
  expect(stdout).toMatch(/^runs as production$/m);
});

test('a HOME that may not be read is nothing to complain about', async (ctx) => {
  requireRoot(ctx);
  const { code, stderr } = await sockdoc(['top', '--once', '--replay', RECORDING], {
    uid: 65534,
    gid: 65534,
    env: { HOME: '/root' },
  });
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('one document per interval until a signal, which is the exit code', async () => {
  const running = execa(process.execPath, [BIN, 'top', '--json', '--interval', '100'], {
    reject: false,
    buffer: false,
  });
  const taken: string[] = [];
  for await (const line of running.iterable()) {
    taken.push(line);
    if (taken.length === 3) running.kill('SIGINT');
  }
  expect((await running).exitCode).toBe(130);
  expect(frames(taken.join('\n')).length).toBeGreaterThanOrEqual(3);
});

test('a reader that leaves ends it without a word', async () => {
  const { stdout, stderr } = await execa('sh', [
    '-c',
    `"${process.execPath}" "${BIN}" top --json --interval 100 | head -n 1`,
  ]);
  expect(frames(stdout)).toHaveLength(1);
  expect(stderr).toBe('');
});

test('a recording as documents, filtered, from the first to the last frame', async () => {
  const { code, stdout } = await sockdoc(['top', '--json', '--replay', RECORDING, '--filter', 'state:listen']);
  expect(code).toBe(0);
  const all = frames(stdout);
  expect(all).toHaveLength(8);
  for (const { connections, totals } of all) {
    expect(connections.map(({ state }) => state)).toEqual(['listen', 'listen', 'listen']);
    expect(totals?.matching).toBe(3);
  }
});

test.each([60, 100, 180])('one frame as text fits %i columns', async (columns) => {
  const { code, stdout } = await sockdoc(['top', '--once', '--replay', RECORDING], {
    env: { COLUMNS: String(columns) },
  });
  expect(code).toBe(0);
  for (const title of ['CONNECTIONS', 'PROCESSES', 'SCHEDULER', 'DESCRIPTORS', 'NIC', 'USER SPACE'])
    expect(stdout).toContain(` ${title}`);
  expect(stdout).not.toContain('\u001b');
  for (const line of stdout.split('\n')) expect(width(line), line).toBeLessThanOrEqual(columns);
});

test.each([
  [['--interval', '99'], /interval/],
  [['--interval', 'soon'], /interval/],
  [['--filter', 'prt:80'], /column 1: there is no field "prt"; did you mean port/],
  [['--sort', 'name'], /sort/],
  [['--replay', '/nowhere'], /does not exist/],
  [['--replay', RECORDING, '--pid', '1'], /choose in it by --filter/],
  [['--replay', RECORDING, '--record', '/tmp/x'], /--record/],
  [['--record', '/nowhere/x'], /no such folder/],
])('%j is wrong use', async (args, problem) => {
  const { code, stderr } = await sockdoc(['top', '--once', ...args]);
  expect(stderr).toMatch(problem);
  expect(stderr).toMatch(/Example|Expected/);
  expect(code).toBe(2);
});
