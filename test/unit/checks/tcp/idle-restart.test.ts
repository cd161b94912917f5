import { expect, test } from 'vitest';
import { idleRestart } from '../../../../src/checks/tcp/idle-restart.js';
import type { Profile } from '../../../../src/model/results.js';
import type { Connection } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf } from '../../../support/snapshot.js';

const KEY = 'net.ipv4.tcp_slow_start_after_idle';
const over = (parts: Partial<Connection>, value = '1', profile: Profile = 'general') =>
  judgeOne(
    idleRestart,
    { net: { sysctls: { [KEY]: value } }, first: {}, last: { sockets: { connections: [connectionOf(parts)] } } },
    profile,
  )[0];
const restarted: Partial<Connection> = {
  cwndSegments: 10,
  minRttUs: 20_000,
  rttUs: 21_000,
  congestionControl: 'cubic',
  window: { ms: 1000, bytesSent: 100, retransmits: 0, cwndSegmentsFirst: 80 },
};

test('a congestion window lost to idling is info, a warning where the profile cares', () => {
  expect(over(restarted)).toMatchObject({
    status: 'info',
    subject: { pid: 42, key: KEY },
    summary: expect.stringContaining('fell from 80 to 10 segments, which takes 60.0 ms to regain'),
    remedy: { tunes: [{ key: KEY, from: '1', to: '0' }] },
  });
  expect(over(restarted, '1', 'latency')?.status).toBe('warn');
  expect(over(restarted, '1', 'connections')?.status).toBe('info');
});

test('a fall for another reason, a short path, BBR, or the setting off is no finding', () => {
  const window = { ms: 1000, bytesSent: 100, retransmits: 0, cwndSegmentsFirst: 80 };
  for (const other of [
    { window: { ...window, retransmits: 2 } },
    { window: { ...window, bytesSent: 0 } },
    { window: { ...window, cwndSegmentsFirst: 10 } },
    { minRttUs: 50 },
    { congestionControl: 'bbr' },
    { tcpOptions: ['ecn'] },
  ])
    expect(over({ ...restarted, ...other })?.status).toBe('pass');
  expect(over(restarted, '0')?.status).toBe('pass');
  expect(judgeOne(idleRestart, {})[0]?.status).toBe('unknown');
  expect(judgeOne(idleRestart, { net: { sysctls: { [KEY]: '1' } } })[0]?.status).toBe('not-applicable');
});
