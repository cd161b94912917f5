import { expect, test } from 'vitest';
import { neighbours } from '../../../../src/checks/net/neighbours.js';
import { judgeOne } from '../../../support/judge.js';

const table = (entries: number, statistics: Record<string, number> = {}) => ({
  net: {
    neighbours: [
      {
        family: 'inet' as const,
        entries,
        threshold3: 1024,
        statistics: { table_fulls: 0, forced_gc_runs: 0, ...statistics },
      },
    ],
  },
});
const sysctls = { 'net.ipv4.neigh.default.gc_thresh2': '512', 'net.ipv4.neigh.default.gc_thresh1': '128' };
const judged = (entries: number, before: Record<string, number> = {}, after = before) =>
  judgeOne(neighbours, { net: { sysctls }, first: table(entries, before), last: table(entries, after) })[0];

test('refused neighbours fail', () => {
  expect(judged(1024, {}, { table_fulls: 4 })).toMatchObject({
    status: 'fail',
    subject: { key: 'net.ipv4.neigh.default.gc_thresh3' },
    remedy: {
      commands: [
        'sysctl -w net.ipv4.neigh.default.gc_thresh3=4096',
        'sysctl -w net.ipv4.neigh.default.gc_thresh2=2048',
        'sysctl -w net.ipv4.neigh.default.gc_thresh1=512',
      ],
    },
  });
});

test('a full table presses only when it is collected by force: permanent entries do not count', () => {
  expect(judged(900, { forced_gc_runs: 3 })?.status).toBe('warn');
  expect(judged(1000, { forced_gc_runs: 3 }, { forced_gc_runs: 5 })?.status).toBe('fail');
  expect(judged(1000)?.status).toBe('info');
  expect(judged(500, { forced_gc_runs: 3 })?.status).toBe('pass');
  expect(judged(10, { table_fulls: 2 })?.status).toBe('info');
});

test('other namespaces share the table and leave it to the initial one', () => {
  expect(
    judgeOne(neighbours, { net: { initial: false }, first: table(1024), last: table(1024, { table_fulls: 1 }) })[0]
      ?.status,
  ).toBe('fail');
  expect(judgeOne(neighbours, {})[0]?.status).toBe('not-applicable');
});
