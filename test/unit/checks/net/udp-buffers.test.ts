import { expect, test } from 'vitest';
import { udpBuffers } from '../../../../src/checks/net/udp-buffers.js';
import { judgeOne } from '../../../support/judge.js';
import { memoryOf, processOf, udpSocketOf } from '../../../support/snapshot.js';

const base = { UdpRcvbufErrors: 0, Udp6RcvbufErrors: 0, UdpInDatagrams: 1000 };
const sysctls = { 'net.core.rmem_max': '212992', 'net.core.rmem_default': '212992' };
const judged = (last: Record<string, number>, receiveBuffer = 425_984, local = '0.0.0.0:5353') =>
  judgeOne(udpBuffers, {
    net: { sysctls },
    first: { net: { counters: base } },
    last: {
      net: { counters: { ...base, ...last } },
      host: { processes: [processOf()] },
      sockets: { udp: [udpSocketOf({ local, windowDrops: 90, memory: memoryOf({ receiveBuffer, drops: 95 }) })] },
    },
  })[0];

test('drops within the window fail and name the socket', () => {
  expect(judged({ UdpRcvbufErrors: 90 })).toMatchObject({
    status: 'fail',
    subject: { pid: 42, comm: 'server', listener: '0.0.0.0:5353', fd: 7 },
    remedy: { tunes: [{ key: 'net.core.rmem_max', from: '212992', to: '851968' }] },
  });
  expect(judged({ UdpRcvbufErrors: 90 }, 212_992)?.remedy?.tunes[0]?.key).toBe('net.core.rmem_default');
  expect(judged({ UdpRcvbufErrors: 90 }, 100_000)?.remedy?.tunes).toEqual([]);
});

test('IPv6 has counters and sockets of its own', () => {
  expect(judged({ Udp6RcvbufErrors: 90 }, 100_000, '[::]:53')).toMatchObject({
    status: 'fail',
    subject: { listener: '[::]:53' },
  });
  expect(judged({ Udp6RcvbufErrors: 90 })?.subject).toBeUndefined();
});

test('since boot the share decides', () => {
  const still = (counters: Record<string, number>) =>
    judgeOne(udpBuffers, { first: { net: { counters } }, last: { net: { counters } } })[0]?.status;
  expect(still({ ...base, UdpRcvbufErrors: 500 })).toBe('warn');
  expect(still({ ...base, UdpRcvbufErrors: 5, UdpInDatagrams: 1e6 })).toBe('info');
  expect(still(base)).toBe('pass');
  expect(judgeOne(udpBuffers, { last: { net: { counters: base } } })[0]?.status).toBe('not-applicable');
  expect(judgeOne(udpBuffers, {})[0]?.status).toBe('unknown');
});
