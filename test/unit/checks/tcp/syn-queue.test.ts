import { expect, test } from 'vitest';
import { synQueue } from '../../../../src/checks/tcp/syn-queue.js';
import { judgeOne } from '../../../support/judge.js';
import { listenerOf } from '../../../support/snapshot.js';

const counters = (cookies: number, dropped: number) => ({
  counters: { TcpExtTCPReqQFullDoCookies: cookies, TcpExtTCPReqQFullDrop: dropped },
});
const over = (cookies: number, dropped: number, syncookies = '1') =>
  judgeOne(synQueue, {
    net: { sysctls: { 'net.ipv4.tcp_syncookies': syncookies, 'net.core.somaxconn': '4096' } },
    first: { net: counters(3, 3) },
    last: {
      net: counters(3 + cookies, 3 + dropped),
      sockets: {
        listeners: [listenerOf({ cookie: '5', local: '0.0.0.0:9' }), listenerOf({ backlog: 8, synReceived: 9 })],
      },
    },
  })[0];

test('dropped SYNs fail and name the listener with most half open; cookies are a warning', () => {
  expect(over(0, 7, '0')).toMatchObject({
    status: 'fail',
    subject: { listener: '0.0.0.0:8080', pid: 42 },
    summary:
      '7 SYNs were dropped because a SYN queue was full; 0.0.0.0:8080 (server, pid 42) has 9 half open, backlog 8',
    remedy: { commands: ['sysctl -w net.ipv4.tcp_syncookies=1'], undo: 'sysctl -w net.ipv4.tcp_syncookies=0' },
  });
  expect(over(5, 0)).toMatchObject({ status: 'warn', remedy: { commands: [] } });
});

test('old ones are info, none a pass, a missing counter unknown', () => {
  expect(over(0, 0)?.status).toBe('info');
  const none = judgeOne(synQueue, { first: { net: counters(0, 0) }, last: { net: counters(0, 0) } });
  expect(none[0]?.status).toBe('pass');
  expect(judgeOne(synQueue, { last: { net: counters(1, 1) } })[0]?.status).toBe('not-applicable');
  expect(judgeOne(synQueue, {})[0]?.status).toBe('unknown');
});
