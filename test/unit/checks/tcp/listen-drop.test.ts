import { expect, test } from 'vitest';
import { listenDrop } from '../../../../src/checks/tcp/listen-drop.js';
import { judgeOne } from '../../../support/judge.js';
import { listenerOf } from '../../../support/snapshot.js';

const counters = (drops: number, overflows = 0, full = 0) => ({
  counters: { TcpExtListenDrops: drops, TcpExtListenOverflows: overflows, TcpExtTCPReqQFullDrop: full },
});
const over = (first: ReturnType<typeof counters>, last: ReturnType<typeof counters>) =>
  judgeOne(listenDrop, {
    first: { net: first, sockets: { listeners: [listenerOf()] } },
    last: { net: last, sockets: { listeners: [listenerOf({ drops: 6 })] } },
  })[0];

test('drops that no full queue explains fail and name the listener', () => {
  expect(over(counters(10, 5), counters(20, 7, 2))).toMatchObject({
    status: 'fail',
    subject: { listener: '0.0.0.0:8080', pid: 42 },
    summary:
      '6 connection attempts dropped at listeners, not because of a full queue; most at 0.0.0.0:8080 (server, pid 42)',
  });
});

test('drops that are overflows pass; old ones are info; a kernel without the counters is unknown', () => {
  expect(over(counters(0), counters(20, 15, 5))?.status).toBe('pass');
  expect(over(counters(9), counters(9))?.status).toBe('info');
  expect(judgeOne(listenDrop, { last: { net: counters(9) } })[0]?.status).toBe('not-applicable');
  expect(judgeOne(listenDrop, {})[0]?.status).toBe('unknown');
});
