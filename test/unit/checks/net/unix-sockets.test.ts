import { expect, test } from 'vitest';
import { unixSockets } from '../../../../src/checks/net/unix-sockets.js';
import { judgeOne } from '../../../support/judge.js';
import { processOf, threadOf, unixSocketOf } from '../../../support/snapshot.js';

const listening = (queue: number, backlog = 9) =>
  unixSocketOf({ path: '/run/app.sock', listening: true, queue, backlog });
const judged = (before: number, after: number) =>
  judgeOne(unixSockets, {
    first: { sockets: { unix: [listening(before)] } },
    last: { sockets: { unix: [listening(after)] }, host: { processes: [processOf()] } },
  })[0];

test('a queue that stays full fails, one that fills warns', () => {
  expect(judged(10, 10)).toMatchObject({
    status: 'fail',
    subject: { pid: 42, comm: 'server', listener: '/run/app.sock', fd: 3 },
    summary: '/run/app.sock (server, pid 42): 10 connections wait for accept(), 10 fit',
  });
  expect(judged(0, 10)?.status).toBe('warn');
  expect(judged(8, 8)?.status).toBe('warn');
  expect(judged(10, 7)?.status).toBe('pass');
});

test('a backlog of zero still takes one', () => {
  const of = (queue: number) =>
    judgeOne(unixSockets, { last: { sockets: { unix: [listening(queue, 0)] } } })[0]?.status;
  expect(of(0)).toBe('pass');
  expect(of(1)).toBe('warn');
});

test('a sender that the kernel made wait is named', () => {
  const [result] = judgeOne(unixSockets, {
    last: { host: { processes: [processOf()], threads: [threadOf({ waitChannel: 'unix_wait_for_peer' })] } },
  });
  expect(result).toMatchObject({ status: 'warn', subject: { pid: 42, comm: 'server', tid: 42 } });
});

test('datagram queues are bytes of one message, not a fill', () => {
  const dgram = unixSocketOf({ type: 'dgram', listening: false, queue: 4096 });
  expect(judgeOne(unixSockets, { last: { sockets: { unix: [dgram] } } })[0]?.status).toBe('pass');
  expect(judgeOne(unixSockets, { last: { net: { sockets: undefined as never } } })[0]?.status).toBe('unknown');
});
