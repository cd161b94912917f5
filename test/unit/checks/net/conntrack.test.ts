import { expect, test } from 'vitest';
import { conntrack } from '../../../../src/checks/net/conntrack.js';
import { judgeOne } from '../../../support/judge.js';

const MAX = 'net.netfilter.nf_conntrack_max';
const table = (count: number, statistics: Record<string, number> = {}) => ({
  net: { conntrack: { count, max: 1000, statistics: { drop: 0, early_drop: 0, insert_failed: 0, ...statistics } } },
});
const judged = (count: number, before: Record<string, number> = {}, after = before) =>
  judgeOne(conntrack, {
    net: { sysctls: { 'net.netfilter.nf_conntrack_buckets': '500' } },
    first: table(count, before),
    last: table(count, after),
  })[0];

test('the fill decides', () => {
  expect(judged(800)?.status).toBe('pass');
  expect(judged(801)).toMatchObject({
    status: 'warn',
    subject: { key: MAX },
    remedy: {
      commands: [`sysctl -w ${MAX}=2000`, 'sysctl -w net.netfilter.nf_conntrack_buckets=2000'],
      undo: `sysctl -w ${MAX}=1000 net.netfilter.nf_conntrack_buckets=500`,
    },
  });
  expect(judged(950)?.status).toBe('fail');
});

test('a drop within the window fails at any fill, insert_failed does not', () => {
  expect(judged(10, {}, { drop: 3 })).toMatchObject({
    status: 'fail',
    summary: '3 packets were dropped because no entry could be made; 10 of 1000 entries (1 %)',
  });
  expect(judged(10, {}, { early_drop: 1 })?.status).toBe('fail');
  expect(judged(10, {}, { insert_failed: 7 })?.status).toBe('pass');
  expect(judged(10, { drop: 3 })?.status).toBe('info');
});

test('without connection tracking there is nothing to judge', () => {
  expect(judgeOne(conntrack, {})[0]?.status).toBe('not-applicable');
});
