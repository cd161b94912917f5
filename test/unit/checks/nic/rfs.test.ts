import { expect, test } from 'vitest';
import { rfs } from '../../../../src/checks/nic/rfs.js';
import type { Connection, Thread } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { linkOf } from '../../../support/links.js';
import { connectionOf, threadOf } from '../../../support/snapshot.js';

const connection = (i: number, incomingCpu: number, parts: Partial<Connection> = {}) =>
  connectionOf({
    pid: 100 + i,
    remote: `192.0.2.${i + 1}:4000`,
    options: { incomingCpu },
    window: { ms: 1000, segmentsIn: 500 },
    ...parts,
  });
const thread = (i: number, cpu: number) => threadOf({ pid: 100 + i, tid: 100 + i, cpu });
const ten = Array.from({ length: 10 }, (_, i) => i);

const judge = (connections: Connection[], threads: Thread[], entries = '0') =>
  judgeOne(rfs, {
    net: {
      sysctls: { 'net.core.rps_sock_flow_entries': entries },
      links: [
        linkOf({
          rxQueueList: [
            { index: 0, flowCount: 0 },
            { index: 1, flowCount: 0 },
          ],
        }),
      ],
      addresses: [{ interface: 'eth0', family: 'inet', address: '10.0.0.1', prefixLength: 24, scope: 'global' }],
    },
    first: {},
    last: { host: { threads }, sockets: { connections } },
  })[0];

test('flows received elsewhere than they are read: info, with both tables', () => {
  expect(
    judge(
      ten.map((i) => connection(i, 0)),
      ten.map((i) => thread(i, 1)),
    ),
  ).toMatchObject({
    status: 'info',
    summary: '10 of 10 connections are received on another CPU than their program runs on',
    remedy: {
      commands: [
        'sysctl -w net.core.rps_sock_flow_entries=32768',
        'echo 16384 > /sys/class/net/eth0/queues/rx-0/rps_flow_cnt',
        'echo 16384 > /sys/class/net/eth0/queues/rx-1/rps_flow_cnt',
      ],
    },
  });
});

test('matching CPUs pass', () => {
  expect(
    judge(
      ten.map((i) => connection(i, 1)),
      ten.map((i) => thread(i, 1)),
    )?.status,
  ).toBe('pass');
});

test('connections of this host, without traffic, or with an unknown thread do not count', () => {
  const threads = ten.map((i) => thread(i, 1));
  expect(
    judge(
      ten.map((i) => connection(i, 0, { remote: '127.0.0.1:1' })),
      threads,
    )?.status,
  ).toBe('not-applicable');
  expect(
    judge(
      ten.map((i) => connection(i, 0, { remote: '[::ffff:10.0.0.1]:1' })),
      threads,
    )?.status,
  ).toBe('not-applicable');
  expect(
    judge(
      ten.map((i) => connection(i, 0, { window: { ms: 1000, segmentsIn: 0 } })),
      threads,
    )?.status,
  ).toBe('not-applicable');
  expect(
    judge(
      ten.map((i) => connection(i, -1)),
      threads,
    )?.status,
  ).toBe('not-applicable');
  const quiet = { ms: 1000, segmentsIn: 3 };
  expect(
    judge(
      ten.map((i) => connection(i, 0, { window: quiet })),
      threads,
    )?.status,
  ).toBe('not-applicable');
  const many = threads.flatMap((t) => [t, { ...t, tid: t.tid + 1000 }]);
  expect(
    judge(
      ten.map((i) => connection(i, 0)),
      many,
    )?.status,
  ).toBe('not-applicable');
  const reading = many.map((t) => (t.tid > 1000 ? { ...t, call: { name: 'recvfrom', arg0: 4 } } : t));
  expect(
    judge(
      ten.map((i) => connection(i, 0)),
      reading,
    )?.status,
  ).toBe('info');
});
