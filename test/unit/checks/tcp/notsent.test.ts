import { expect, test } from 'vitest';
import { notsent } from '../../../../src/checks/tcp/notsent.js';
import type { Profile } from '../../../../src/model/results.js';
import type { Connection } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf } from '../../../support/snapshot.js';

const over = (parts: Partial<Connection>, lowat = '4294967295', profile: Profile = 'general') =>
  judgeOne(
    notsent,
    {
      net: { sysctls: { 'net.ipv4.tcp_notsent_lowat': lowat } },
      first: {},
      last: { sockets: { connections: [connectionOf(parts)] } },
    },
    profile,
  )[0];
/** 1 MB waits at 1 MB/s: a second. */
const waiting: Partial<Connection> = {
  notSentBytes: 1_000_000,
  cwndSegments: 10,
  mssBytes: 1448,
  window: { ms: 1000, bytesSent: 1_000_000 },
};

test('much unsent on a moving connection is info, in the latency profile a warning', () => {
  expect(over(waiting)).toMatchObject({
    status: 'info',
    subject: { pid: 42 },
    summary: expect.stringContaining('1000000 bytes written and not sent: 1000 ms'),
    remedy: { commands: ['sysctl -w net.ipv4.tcp_notsent_lowat=131072'] },
  });
  expect(over(waiting, undefined, 'latency')?.status).toBe('warn');
});

test('several are one finding, but in the latency profile one each', () => {
  const judged = (profile: Profile) =>
    judgeOne(
      notsent,
      { first: {}, last: { sockets: { connections: [waiting, { ...waiting, pid: 7 }].map(connectionOf) } } },
      profile,
    );
  expect(judged('general')).toMatchObject([{ summary: expect.stringContaining('and 1 other') }]);
  expect(judged('latency')).toHaveLength(2);
});

test('a limit, a fast connection, a large congestion window or a standstill is no finding', () => {
  expect(over(waiting, '131072')?.status).toBe('pass');
  expect(over({ ...waiting, options: { notSentLowWaterBytes: 16_384 } })?.status).toBe('pass');
  expect(over({ ...waiting, options: { notSentLowWaterBytes: 0 } })?.status).toBe('info');
  expect(over({ ...waiting, window: { ms: 1000, bytesSent: 1e9 } })?.status).toBe('pass');
  expect(over({ ...waiting, cwndSegments: 1000 })?.status).toBe('pass');
  expect(over({ ...waiting, window: { ms: 1000, bytesSent: 0 } })?.status).toBe('pass');
  expect(judgeOne(notsent, { last: { net: { sockets: undefined as never } } })[0]?.status).toBe('unknown');
});
