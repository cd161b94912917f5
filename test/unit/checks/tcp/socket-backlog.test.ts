import { expect, test } from 'vitest';
import { socketBacklog } from '../../../../src/checks/tcp/socket-backlog.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf } from '../../../support/snapshot.js';

const counters = (backlog: number, queue: number, zero: number) => ({
  counters: { TcpExtTCPBacklogDrop: backlog, TcpExtTCPRcvQDrop: queue, TcpExtTCPZeroWindowDrop: zero },
});
const over = (backlog: number, queue: number, zero: number) =>
  judgeOne(socketBacklog, {
    first: { net: counters(1, 1, 1) },
    last: {
      net: counters(1 + backlog, 1 + queue, 1 + zero),
      sockets: { connections: [connectionOf({ window: { ms: 1000, drops: 4 } })] },
    },
  })[0];

test('drops for want of room fail and name the connection; a closed window alone warns', () => {
  expect(over(2, 3, 0)).toMatchObject({
    status: 'fail',
    subject: { pid: 42 },
    summary:
      'segments dropped: 2 at a socket backlog, 3 at a full receive queue; 10.0.0.1:8080 -> 10.0.0.2:40000 (server, pid 42) dropped 4',
  });
  expect(over(0, 0, 3)?.status).toBe('warn');
});

test('old ones are info, none a pass, without counters unknown', () => {
  expect(over(0, 0, 0)).toMatchObject({ status: 'info', summary: expect.stringMatching(/^3 segments/) });
  const none = judgeOne(socketBacklog, { first: { net: counters(0, 0, 0) }, last: { net: counters(0, 0, 0) } });
  expect(none[0]?.status).toBe('pass');
  expect(judgeOne(socketBacklog, {})[0]?.status).toBe('unknown');
});
