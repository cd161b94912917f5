import { expect, test } from 'vitest';
import { timeWait } from '../../../../src/checks/tcp/time-wait.js';
import { judgeOne } from '../../../support/judge.js';

const net = (overflows: number, tw: number) => ({
  counters: { TcpExtTCPTimeWaitOverflow: overflows },
  sockstat: { 'TCP.tw': tw },
});
const over = (before: number, after: number, tw: number, limit = '1000') =>
  judgeOne(timeWait, {
    net: { sysctls: { 'net.ipv4.tcp_max_tw_buckets': limit } },
    first: { net: net(before, tw) },
    last: { net: net(after, tw) },
  })[0];

test('an overflow or a nearly full table is a warning that raises the limit', () => {
  expect(over(5, 9, 1000)).toMatchObject({
    status: 'warn',
    summary: '4 connections were closed without their TIME_WAIT: 1000 are held and net.ipv4.tcp_max_tw_buckets is 1000',
    remedy: { tunes: [{ key: 'net.ipv4.tcp_max_tw_buckets', from: '1000', to: '262144' }] },
  });
  expect(over(5, 5, 950, '1000')?.status).toBe('warn');
  expect(over(5, 9, 1, '500000')?.remedy?.tunes).toEqual([
    { key: 'net.ipv4.tcp_max_tw_buckets', from: '500000', to: '1000000' },
  ]);
});

test('old overflows are info, room is a pass, missing data unknown', () => {
  expect(over(5, 5, 900)?.status).toBe('info');
  expect(over(0, 0, 900)?.status).toBe('pass');
  expect(over(0, 0, 0, '0')?.status).toBe('pass');
  expect(judgeOne(timeWait, {})[0]?.status).toBe('unknown');
});
