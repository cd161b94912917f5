import { expect, test } from 'vitest';
import { pinnedBuffers } from '../../../../src/checks/tcp/pinned-buffers.js';
import type { Connection } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf, memoryOf } from '../../../support/snapshot.js';

const over = (connection: Partial<Connection>) =>
  judgeOne(pinnedBuffers, {
    net: { sysctls: { 'net.ipv4.tcp_rmem': '4096 131072 6291456', 'net.ipv4.tcp_wmem': '4096 16384 4194304' } },
    first: {},
    last: { sockets: { connections: [connectionOf(connection)] } },
  })[0];
const receiver: Partial<Connection> = {
  minRttUs: 50_000,
  receiveWindowBytes: 65_536,
  memory: memoryOf({ receiveBuffer: 131_072 }),
  options: { receiveBufferLocked: true },
  window: { ms: 1000, bytesReceived: 1_200_000 },
};

test('a buffer fixed by the program while it limits is a warning', () => {
  expect(over(receiver)).toMatchObject({
    status: 'warn',
    subject: { pid: 42 },
    summary: expect.stringContaining('SO_RCVBUF: 131072 bytes at a round trip of 50.0 ms'),
  });
  const sender: Partial<Connection> = {
    options: { sendBufferLocked: true },
    memory: memoryOf({ sendBuffer: 32_768 }),
    minRttUs: 50_000,
    window: { ms: 1000, bytesSent: 600_000, busyUs: 990_000, sendBufferLimitedUs: 800_000 },
  };
  expect(over(sender)).toMatchObject({ status: 'warn', summary: expect.stringContaining('SO_SNDBUF: 32768 bytes') });
});

test('a fixed buffer that does not limit passes, and so does one that tunes itself', () => {
  expect(over({ ...receiver, window: { ms: 1000, bytesReceived: 10_000 } })?.status).toBe('pass');
  expect(over({ ...receiver, options: {} })?.status).toBe('pass');
  expect(judgeOne(pinnedBuffers, {})[0]?.status).toBe('not-applicable');
});
