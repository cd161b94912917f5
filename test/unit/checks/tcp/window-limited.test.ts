import { expect, test } from 'vitest';
import { windowLimited } from '../../../../src/checks/tcp/window-limited.js';
import type { Connection } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf, memoryOf } from '../../../support/snapshot.js';

const net = { sysctls: { 'net.ipv4.tcp_rmem': '4096 131072 262144', 'net.ipv4.tcp_wmem': '4096 16384 524288' } };
const over = (...connections: Partial<Connection>[]) =>
  judgeOne(windowLimited, { net, first: {}, last: { sockets: { connections: connections.map(connectionOf) } } });

/** 128 KiB offered, 50 ms: no more than 2.6 MB in a second. */
const receiver: Partial<Connection> = {
  minRttUs: 50_000,
  receiveWindowBytes: 131_072,
  memory: memoryOf({ receiveBuffer: 262_144 }),
  window: { ms: 1000, bytesReceived: 2_500_000 },
};
const sender: Partial<Connection> = {
  minRttUs: 50_000,
  memory: memoryOf({ sendBuffer: 524_288 }),
  window: {
    ms: 1000,
    bytesSent: 5_000_000,
    busyUs: 1_000_000,
    sendBufferLimitedUs: 400_000,
    receiveWindowLimitedUs: 0,
  },
};

test('a full window at a receive buffer at its cap is a warning that raises the cap', () => {
  expect(over(receiver)).toMatchObject([
    {
      status: 'warn',
      subject: { pid: 42, connection: '10.0.0.1:8080 -> 10.0.0.2:40000', key: 'net.ipv4.tcp_rmem' },
      remedy: {
        commands: ['sysctl -w "net.ipv4.tcp_rmem=4096 131072 524288"'],
        undo: 'sysctl -w "net.ipv4.tcp_rmem=4096 131072 262144"',
      },
    },
  ]);
});

test('no finding when the reader is slow, the buffer may grow, the rate is small or the path is short', () => {
  for (const healthy of [
    { ...receiver, recvQueueBytes: 100_000 },
    { ...receiver, memory: memoryOf({ receiveBuffer: 200_000 }) },
    { ...receiver, window: { ms: 1000, bytesReceived: 1_000_000 } },
    { ...receiver, minRttUs: 100 },
    { ...receiver, options: { receiveBufferLocked: true } },
  ])
    expect(over(healthy)).toMatchObject([{ status: 'pass' }]);
});

test('a send buffer at its cap, limited and busy, is a warning', () => {
  expect(over(sender)).toMatchObject([{ status: 'warn', subject: { key: 'net.ipv4.tcp_wmem' } }]);
  expect(over({ ...sender, memory: memoryOf({ sendBuffer: 400_000 }) })).toMatchObject([{ status: 'pass' }]);
  const idle = { ...sender, window: { ...sender.window, ms: 1000, busyUs: 50_000, sendBufferLimitedUs: 40_000 } };
  expect(over(idle)).toMatchObject([{ status: 'pass' }]);
  const seldom = { ...sender, window: { ...sender.window, ms: 1000, sendBufferLimitedUs: 50_000 } };
  expect(over(seldom)).toMatchObject([{ status: 'pass' }]);
});

test('a full send buffer that is all in flight counts too, unless the congestion window is the limit', () => {
  const flying: Partial<Connection> = {
    ...sender,
    memory: memoryOf({ sendBuffer: 524_288, sendQueued: 520_000 }),
    sendQueueBytes: 500_000,
    notSentBytes: 0,
    cwndSegments: 1000,
    mssBytes: 1448,
    window: { ms: 1000, bytesSent: 9_500_000, busyUs: 1_000_000, sendBufferLimitedUs: 0 },
  };
  expect(over(flying)).toMatchObject([{ status: 'warn', subject: { key: 'net.ipv4.tcp_wmem' } }]);
  for (const healthy of [
    { ...flying, cwndSegments: 350 },
    { ...flying, notSentBytes: 200_000 },
    { ...flying, minRttUs: 500 },
    { ...flying, memory: memoryOf({ sendBuffer: 524_288, sendQueued: 100_000 }) },
  ])
    expect(over(healthy)).toMatchObject([{ status: 'pass' }]);
});

test('the window of a peer elsewhere is info, unless the receiver is here and judged itself', () => {
  const limited: Partial<Connection> = {
    ...receiver,
    sendWindowBytes: 131_072,
    window: { ms: 1000, bytesSent: 2_500_000, busyUs: 1_000_000, receiveWindowLimitedUs: 900_000 },
    memory: memoryOf(),
  };
  expect(over(limited)).toMatchObject([{ status: 'info' }]);
  const here = over(limited, { ...receiver, local: '10.0.0.2:40000', remote: '10.0.0.1:8080' });
  expect(here).toMatchObject([{ status: 'warn', subject: { connection: '10.0.0.2:40000 -> 10.0.0.1:8080' } }]);
  expect(over({ ...limited, sendWindowBytes: 0 })).toMatchObject([{ status: 'pass' }]);
});

test('the cap becomes twice the bandwidth-delay product of the link, at most 256 MiB', () => {
  const link = { index: 2, name: 'eth0', type: 'ether', up: true, operState: 'up', mtu: 1500 };
  const raised = (speedMbps: number) =>
    judgeOne(windowLimited, {
      net: { ...net, links: [{ ...link, speedMbps }] },
      first: {},
      last: { sockets: { connections: [connectionOf(receiver)] } },
    })[0]?.remedy?.tunes[0]?.to;
  expect(raised(1000)).toBe(`4096 131072 ${2 ** 24}`);
  expect(raised(100_000)).toBe(`4096 131072 ${2 ** 28}`);
});

test('one reading is not enough, no sockets is unknown', () => {
  expect(judgeOne(windowLimited, { net })[0]?.status).toBe('not-applicable');
  expect(judgeOne(windowLimited, { net, last: { net: { sockets: undefined as never } } })[0]?.status).toBe('unknown');
});
