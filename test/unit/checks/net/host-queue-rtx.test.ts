import { expect, test } from 'vitest';
import { hostQueueRtx } from '../../../../src/checks/net/host-queue-rtx.js';
import { judgeOne } from '../../../support/judge.js';
import { linkCountersOf, qdiscOf } from '../../../support/snapshot.js';

const counters = (value: number) => ({ counters: { TcpExtTCPSpuriousRtxHostQueues: value } });

test('growth names the interface with the longest queue', () => {
  const links = [
    linkCountersOf({ name: 'eth0', qdiscs: [qdiscOf({ kind: 'fq_codel', backlogPackets: 2, backlogBytes: 200 })] }),
    linkCountersOf({ name: 'eth1', qdiscs: [qdiscOf({ kind: 'tbf', backlogPackets: 90, backlogBytes: 120_000 })] }),
  ];
  const [result] = judgeOne(hostQueueRtx, { first: { net: counters(1) }, last: { net: { ...counters(4), links } } });
  expect(result).toMatchObject({
    status: 'warn',
    subject: { interface: 'eth1' },
    summary: '3 segments were due for retransmission while still queued here; 90 packets wait in tbf of eth1',
  });
});

test('without growth it passes or informs; it needs the counter and two readings', () => {
  expect(judgeOne(hostQueueRtx, { first: { net: counters(0) }, last: { net: counters(0) } })[0]?.status).toBe('pass');
  expect(judgeOne(hostQueueRtx, { first: { net: counters(5) }, last: { net: counters(5) } })[0]?.status).toBe('info');
  expect(judgeOne(hostQueueRtx, { last: { net: counters(5) } })[0]?.status).toBe('not-applicable');
  expect(judgeOne(hostQueueRtx, { first: {}, last: {} })[0]?.status).toBe('unknown');
});
