import { expect, test } from 'vitest';
import { kernelLog } from '../../../../src/checks/net/kernel-log.js';
import { judgeOne } from '../../../support/judge.js';

// The builder's readings are at 100,000 and 101,000 ms.
const judged = (...lines: [number, string][]) =>
  judgeOne(kernelLog, {
    first: {},
    last: {},
    snapshot: { observed: { kernelLog: lines.map(([atMs, text]) => ({ atMs, text })) } },
  });
const FULL = 'nf_conntrack: nf_conntrack: table full, dropping packet';

test('a line within the window fails, an earlier one warns', () => {
  expect(judged([5000, FULL], [100_400, FULL])[0]).toMatchObject({
    status: 'fail',
    summary:
      'conntrack table full: the connection tracking table was full and packets were dropped (2 lines since boot, 1 within the window)',
  });
  expect(judged([5000, FULL])[0]).toMatchObject({ status: 'warn' });
});

test.each([
  ['TCP: request_sock_TCP: Possible SYN flooding on port 0.0.0.0:8080. Sending cookies.', 'SYN flooding'],
  ['TCP: out of memory -- consider tuning tcp_mem', 'out of TCP memory'],
  ['TCP: too many orphaned sockets', 'too many orphaned sockets'],
  ['neighbour: arp_cache: neighbor table overflow!', 'neighbour table overflow'],
  ['NETDEV WATCHDOG: eth0 (igb): transmit queue 2 timed out 5000 ms', 'NETDEV WATCHDOG'],
  ['nf_conntrack: table full in netns 4026531840, dropping packet', 'conntrack table full'],
])('%s', (text, name) => {
  expect(judged([5000, text])[0]?.summary).toContain(name);
});

test('long ago is information, other lines are nothing, no log is unknown', () => {
  const [old] = judgeOne(kernelLog, {
    windowMs: 3 * 86_400_000,
    snapshot: { observed: { kernelLog: [{ atMs: 1000, text: FULL }] } },
  });
  expect(old?.status).toBe('info');
  expect(old?.summary).toContain('the last 3 days ago');
  expect(judged([5000, 'eth0: link becomes ready'])[0]?.status).toBe('pass');
  expect(judgeOne(kernelLog, {})[0]).toMatchObject({ status: 'unknown' });
});
