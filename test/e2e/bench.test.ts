import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { allowedCpus } from '../../src/services/bench/host.js';
import { BIN, sockdoc, workFolder } from '../support/cli.js';
import { hasLibsd } from '../support/libsd.js';
import { poll } from '../support/poll.js';
import { expectValid } from '../support/schemas.js';

const folder = workFolder();
afterAll(folder.remove);

test('bench list names the suites and what is installed for them', async () => {
  const { stdout, code } = await sockdoc(['bench', 'list', '--json']);
  expect(code).toBe(0);
  const document = JSON.parse(stdout);
  await expectValid('bench-list', document);
  expect(document.suites.map(({ id }: { id: string }) => id)).toEqual([
    'rtt',
    'throughput',
    'connections',
    'apps',
    'overhead',
  ]);
  const without = await sockdoc(['bench', 'list'], { env: { PATH: '/nonexistent' } });
  expect(without.stdout).toMatch(/redis-benchmark is not installed: apt install redis-tools/);
});

describe('what is wrong is said, with the next step', () => {
  test.each([
    [['run'], 2, 'a suite was expected', 'Example: sockdoc bench run'],
    [['run', 'rrt'], 2, 'no suite "rrt"', 'Did you mean: rtt?'],
    [['run', 'rtt', '--transport', 'carrier-pigeon'], 2, 'no transport', 'kernel, unix, shm'],
    [['run', 'rtt', '--transport', 'rdma'], 4, 'not built yet', 'kernel, unix, shm'],
    [['run', 'rtt', '--cpus', '1023'], 4, 'CPU 1023 is not there', 'Example: sockdoc bench run rtt --cpus'],
    [['run', 'rtt', '--cpus', 'all'], 2, 'no list of CPUs', '--cpus 0,1'],
    [['run', 'rtt', '--duration', 'long'], 2, '"long" is no duration', 'bench run'],
    [['run', 'rtt', '--duration', '1ms'], 2, 'a repetition takes', '--duration 1s'],
    [['run', 'rtt', '--out', '/dev/null/results'], 2, 'is no folder', '--out'],
    [['run', 'rtt', '--fast'], 2, 'unknown flag --fast', 'bench run'],
    [['report', '/nonexistent'], 2, 'no such file', 'bench run rtt --out'],
    [['report', '/proc/version'], 2, 'is not JSON', 'bench run rtt --out'],
    [['compare', '/nonexistent'], 2, 'b', 'bench compare'],
  ])('%j: %i', async (args, code, message, next) => {
    const result = await sockdoc(['bench', ...args]);
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
    expect(result.stderr).toContain(next);
  });

  test('a file that is damaged', async () => {
    const path = folder.file('damaged.json', '{"command":"bench run","schemaVersion":1}');
    const { code, stderr } = await sockdoc(['bench', 'report', path]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('is damaged: /')]);
  });
});

/** All that runs with this folder as its temporary one. */
function running(place: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`TMPDIR=${place}`);
      } catch {
        return false;
      }
    });
}

describe.runIf(hasLibsd)('ended while it measures', () => {
  let count = 0;
  const started = async () => {
    const place = join(folder.path, `ended-${count++}`);
    mkdirSync(place);
    const args = ['bench', 'run', 'rtt', '--duration', '10m', '--transport', 'shm', '--out', join(place, 'out')];
    const child = spawn(process.execPath, [BIN, ...args], {
      env: { ...process.env, TMPDIR: place, LANG: 'C.UTF-8' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    // The command itself, its monitor, the server and the client; with two CPUs the one that measures the line.
    await poll('all of it runs', () => running(place).length === (allowedCpus().length > 1 ? 5 : 4));
    return { place, child, ended, said: () => stderr };
  };

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s it ends everything and leaves nothing', async (signal, code) => {
    const { place, child, ended, said } = await started();
    child.kill(signal);
    expect(await ended, said()).toBe(code);
    expect(said()).toContain(`stopped by ${signal}`);
    expect(running(place)).toEqual([]);
    expect(readdirSync(place)).toEqual(['out']);
    expect(readdirSync(join(place, 'out'))).toEqual([]);
  });

  test('by SIGKILL nothing goes on running', async () => {
    const { place, child, ended } = await started();
    child.kill('SIGKILL');
    await ended;
    await poll('all of it has ended', () => running(place).length === 0);
  });
});
