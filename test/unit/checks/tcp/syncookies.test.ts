import { expect, test } from 'vitest';
import { syncookies } from '../../../../src/checks/tcp/syncookies.js';
import { judgeOne } from '../../../support/judge.js';

const counters = (sent: number, received: number) => ({
  counters: { TcpExtSyncookiesSent: sent, TcpExtSyncookiesRecv: received, TcpExtSyncookiesFailed: 0 },
});
const over = (sent: number, received: number, value = '1', before = 10) =>
  judgeOne(syncookies, {
    net: { sysctls: { 'net.ipv4.tcp_syncookies': value } },
    first: { net: counters(before, before) },
    last: { net: counters(before + sent, before + received) },
  })[0];

test('cookies that come back are overload; those that do not are a flood', () => {
  expect(over(100, 90)).toMatchObject({
    status: 'warn',
    summary:
      '100 SYN cookies sent and 90 came back (90 %): real clients meet full queues, this is overload and no attack',
  });
  expect(over(100, 3)?.status).toBe('info');
  expect(over(100, 100, '2')).toMatchObject({ status: 'info', summary: expect.stringContaining('meant for tests') });
});

test('at rest: off is info with the change, old ones are info, none is a pass', () => {
  expect(over(0, 0, '0')).toMatchObject({
    status: 'info',
    remedy: { tunes: [{ key: 'net.ipv4.tcp_syncookies', from: '0', to: '1' }] },
  });
  expect(over(0, 0)?.status).toBe('info');
  expect(over(0, 0, '1', 0)?.status).toBe('pass');
  expect(judgeOne(syncookies, {})[0]?.status).toBe('unknown');
});
