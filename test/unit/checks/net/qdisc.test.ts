import { expect, test } from 'vitest';
import { qdisc } from '../../../../src/checks/net/qdisc.js';
import { judgeOne } from '../../../support/judge.js';
import { linkCountersOf, linkOf, qdiscOf } from '../../../support/snapshot.js';

const judged = (kind: string, drops: number, packets: number, sysctls: Record<string, string> = {}, handle = '8001:') =>
  judgeOne(qdisc, {
    net: { links: [linkOf({ name: 'eth0' })], sysctls },
    first: { net: { links: [linkCountersOf({ name: 'eth0', qdiscs: [qdiscOf({ kind, handle })] })] } },
    last: { net: { links: [linkCountersOf({ name: 'eth0', qdiscs: [qdiscOf({ kind, handle, drops, packets })] })] } },
  });

test('a shaper or a FIFO that drops is bad news, one that drops by design is not', () => {
  expect(judged('tbf', 30, 70)[0]).toMatchObject({
    status: 'fail',
    subject: { interface: 'eth0' },
    summary: 'tbf of eth0 dropped 30 of 100 packets (30.0 %): its rate or its queue is too small for what is sent',
  });
  expect(judged('pfifo_fast', 3, 997)[0]?.status).toBe('warn');
  expect(judged('fq_codel', 3, 997)[0]?.status).toBe('info');
  expect(judged('fq_codel', 30, 970)[0]?.status).toBe('warn');
  expect(judged('pfifo_fast', 0, 1000)[0]?.status).toBe('pass');
});

test('a device older than the default is information, one set by hand is not', () => {
  const sysctls = { 'net.core.default_qdisc': 'fq' };
  expect(judged('pfifo_fast', 0, 10, sysctls, '0:')[0]).toMatchObject({
    status: 'info',
    remedy: { commands: ['tc qdisc replace dev eth0 root fq'], undo: 'tc qdisc replace dev eth0 root pfifo_fast' },
  });
  expect(judged('pfifo_fast', 0, 10, sysctls, '8001:')[0]?.status).toBe('pass');
  expect(judged('fq', 0, 10, sysctls, '0:')[0]?.status).toBe('pass');
  expect(judged('mq', 0, 10, sysctls, '0:')[0]?.status).toBe('pass');
});

test('BBR without fq is information', () => {
  const sysctls = { 'net.ipv4.tcp_congestion_control': 'bbr' };
  expect(judged('fq_codel', 0, 10, sysctls)[0]).toMatchObject({ status: 'info', subject: { interface: 'eth0' } });
  expect(judged('fq', 0, 10, sysctls)[0]?.status).toBe('pass');
});

test('interfaces without a queue are not judged', () => {
  expect(judged('noqueue', 0, 0)[0]?.status).toBe('not-applicable');
  expect(judgeOne(qdisc, {})[0]?.status).toBe('not-applicable');
});
