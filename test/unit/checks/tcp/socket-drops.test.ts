import { expect, test } from 'vitest';
import { socketDrops } from '../../../../src/checks/tcp/socket-drops.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf, memoryOf } from '../../../support/snapshot.js';

const over = (drops: number, receiveAlloc: number) =>
  judgeOne(socketDrops, {
    first: {},
    last: {
      sockets: {
        connections: [
          connectionOf({
            recvQueueBytes: receiveAlloc,
            memory: memoryOf({ receiveAlloc, receiveBuffer: 1000, drops: drops + 5 }),
            window: { ms: 1000, drops },
          }),
        ],
      },
    },
  })[0];

test('drops at a full buffer warn and name the connection, with both numbers', () => {
  const result = over(3, 900);
  expect(result).toMatchObject({
    status: 'warn',
    subject: { pid: 42, fd: 4, connection: '10.0.0.1:8080 -> 10.0.0.2:40000' },
    summary:
      '10.0.0.1:8080 -> 10.0.0.2:40000 (server, pid 42) dropped 3 segments; its receive buffer is 90 % full, 900 bytes are unread',
  });
  expect(result?.evidence).toMatchObject([
    { key: 'drops', value: 3, scope: 'window' },
    { key: 'drops', value: 8, scope: 'total' },
    { key: 'unread', value: 900 },
  ]);
});

test('drops with room are info, old drops pass, one reading is not enough', () => {
  expect(over(3, 10)?.status).toBe('info');
  expect(over(0, 900)?.status).toBe('pass');
  expect(judgeOne(socketDrops, {})[0]?.status).toBe('not-applicable');
  expect(judgeOne(socketDrops, { last: { net: { sockets: undefined as never } } })[0]?.status).toBe('unknown');
});
