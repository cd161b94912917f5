import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { BenchCompareDocument, BenchDocument } from '../../../src/model/bench.js';
import { allowedCpus } from '../../../src/services/bench/host.js';
import { sockdoc, workFolder } from '../../support/cli.js';
import { hasLibsd } from '../../support/libsd.js';
import { expectValid } from '../../support/schemas.js';

const folder = workFolder();
afterAll(folder.remove);

const twoCpus = allowedCpus().length > 1;
const short = ['--quick', '--duration', '10ms'];
const kept = join(folder.path, 'kept');

/** Runs it and validates what it prints. */
async function bench<T>(schema: string, args: readonly string[], code = 0): Promise<T> {
  const result = await sockdoc(['bench', ...args, '--json'], { env: { TMPDIR: folder.path } });
  expect(result, result.stderr).toMatchObject({ code, stderr: '' });
  const document = JSON.parse(result.stdout);
  await expectValid(schema, document);
  return document;
}

const leftBehind = () => readdirSync(folder.path).filter((name) => name.startsWith('sockdoc-bench-'));

describe.runIf(hasLibsd)('messages by every transport', () => {
  test('are measured in turns, and kept', async () => {
    const document = await bench<BenchDocument>('bench', ['run', 'rtt', ...short, '--out', kept]);
    expect(document.results).toHaveLength((twoCpus ? 4 : 3) * 3);
    for (const result of document.results) {
      const { repetitions, othersPercent, p50, p99, unit, cpus, lineTransferNs } = result;
      expect(result).toMatchObject({ repetitions: expect.any(Array), metric: expect.any(String) });
      expect([repetitions.length, othersPercent.length]).toEqual([5, 5]);
      for (const value of [p50, ...repetitions]) expect(value).toBeGreaterThan(0);
      if (unit === 'us') expect(p99).toBeGreaterThanOrEqual(p50);
      expect(cpus).toHaveLength(2);
      if (cpus[0] === cpus[1]) expect(lineTransferNs).toBeUndefined();
      else for (const ns of lineTransferNs ?? []) expect(ns).toBeGreaterThan(1);
    }
    // It is called shared memory only where the bytes went there.
    const shared = document.results.filter(({ transport }) => transport === 'shm');
    for (const { ringShare = [] } of shared) for (const share of ringShare) expect(share).toBeGreaterThan(0);
    for (const { ringShare, transport } of document.results)
      if (transport === 'kernel' || transport === 'unix') expect(ringShare).toBeUndefined();
    expect(document.notMeasured).toEqual([]);
    expect(document.host.allowedCpus).toEqual(allowedCpus());
    expect(JSON.parse(readFileSync(join(kept, 'results.json'), 'utf8'))).toEqual(document);
    expect(leftBehind()).toEqual([]);
  });

  test('one way too, on one CPU', async () => {
    const one = ['--cpus', `${allowedCpus()[0]}`, '--transport', 'unix,shm'];
    const { results } = await bench<BenchDocument>('bench', ['run', 'throughput', ...short, ...one]);
    // On a busy machine some of so short repetitions may stay on the kernel; then they are not called shared memory.
    expect(results.map(({ case: name, transport }) => `${name} ${transport === 'libsd' ? 'shm' : transport}`)).toEqual(
      ['8 B', '1 KiB', '64 KiB'].flatMap((name) => [`${name} unix`, `${name} shm`]),
    );
    for (const { repetitions } of results) for (const rate of repetitions) expect(rate).toBeGreaterThan(0);
  });

  test('the kept results are compared and reported', async () => {
    const compared = await bench<BenchCompareDocument>('bench-compare', ['compare', kept, join(kept, 'results.json')]);
    expect(compared.compared.length).toBeGreaterThan(0);
    for (const { times, verdict } of compared.compared) expect([times, verdict]).toEqual([1, 'same']);
    expect(compared.differences).toEqual([]);
    for (const [format, begin] of Object.entries({
      markdown: '# sockdoc',
      csv: 'suite,case',
      svg: '<svg',
      html: '<!doctype',
    })) {
      const { stdout, code } = await sockdoc(['bench', 'report', kept, '--format', format]);
      expect([code, stdout.slice(0, begin.length)]).toEqual([0, begin]);
    }
  });

  test('results are not written over', async () => {
    const { code, stderr } = await sockdoc(['bench', 'run', 'rtt', ...short, '--out', kept]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('holds results already')]);
  });
});

test('without a monitor that pairs them connections stay on the kernel, and nothing is called shared memory', async ({
  skip,
}) => {
  if (!hasLibsd) skip('libsd is built for x86-64 alone');
  const result = await sockdoc(
    ['bench', 'run', 'rtt', '--transport', 'kernel,shm', '--cpus', `${allowedCpus()[0]}`, ...short, '--json'],
    {
      env: { TMPDIR: folder.path, SOCKDOC_AFTER_CALLS: '1000000000' },
    },
  );
  const document = JSON.parse(result.stdout) as BenchDocument;
  expect(document.results.map(({ transport }) => transport)).toEqual(Array(3).fill(['kernel', 'libsd']).flat());
  expect(document.results[1]).toMatchObject({ reason: expect.stringMatching(/./), ringShare: [0, 0, 0, 0, 0] });
  expect(document.settings.environment).toEqual({ SOCKDOC_AFTER_CALLS: '1000000000' });
});
