import { expect, test } from 'vitest';
import { zeroWindow } from '../../../../src/checks/net/zero-window.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf, processOf } from '../../../support/snapshot.js';

const counters = (value: number) => ({ counters: { TcpExtTCPToZeroWindowAdv: value } });
const closed = (parts: object) =>
  connectionOf({
    picked: ['unread'],
    receiveWindowBytes: 0,
    recvQueueBytes: 65_536,
    lastDataReceivedMs: 3000,
    ...parts,
  });
const judged = (delta: number, connection = connectionOf()) =>
  judgeOne(zeroWindow, {
    first: { net: counters(7) },
    last: {
      net: counters(7 + delta),
      sockets: { connections: [connection] },
      host: { processes: [processOf()] },
    },
  })[0];

test('a connection that stands still with unread data is named', () => {
  expect(judged(0, closed({}))).toMatchObject({
    status: 'warn',
    subject: { pid: 42, comm: 'server', fd: 4, connection: '10.0.0.1:8080 -> 10.0.0.2:40000' },
  });
});

test('a moment at zero, an open window or an empty queue is not a stop', () => {
  expect(judged(0, closed({ lastDataReceivedMs: 40 }))?.status).toBe('pass');
  expect(judged(0, closed({ receiveWindowBytes: 2000 }))?.status).toBe('pass');
  expect(judged(0, closed({ recvQueueBytes: 0 }))?.status).toBe('pass');
  expect(judged(0, closed({ receiveWindowBytes: undefined }))?.status).toBe('pass');
});

test('the rate decides between warning and information', () => {
  expect(judged(11)?.status).toBe('warn');
  expect(judged(3)?.status).toBe('info');
  expect(judged(0)?.status).toBe('pass');
  expect(judgeOne(zeroWindow, { last: { net: counters(1) } })[0]?.status).toBe('not-applicable');
  expect(judgeOne(zeroWindow, {})[0]?.status).toBe('unknown');
});
