import { expect, test } from 'vitest';
import { receivePrune } from '../../../../src/checks/tcp/receive-prune.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf, memoryOf } from '../../../support/snapshot.js';

const counters = (called: number, receive: number, ofo: number, collapsed: number) => ({
  counters: {
    TcpExtPruneCalled: called,
    TcpExtRcvPruned: receive,
    TcpExtOfoPruned: ofo,
    TcpExtTCPRcvCollapsed: collapsed,
  },
});
const memory = memoryOf({ receiveAlloc: 900, receiveBuffer: 1000 });
const over = (...grown: [number, number, number, number]) =>
  judgeOne(receivePrune, {
    first: { net: counters(1, 1, 1, 1) },
    last: {
      net: counters(...(grown.map((n) => n + 1) as [number, number, number, number])),
      sockets: {
        connections: [
          connectionOf({ pid: 7, comm: 'quick', memory: { ...memory, receiveAlloc: 10 } }),
          connectionOf({ memory, recvQueueBytes: 800 }),
        ],
      },
    },
  })[0];

test('data thrown away fails and names the fullest reader; pruning warns; collapsing is info', () => {
  expect(over(4, 2, 1, 9)).toMatchObject({
    status: 'fail',
    subject: { pid: 42, connection: '10.0.0.1:8080 -> 10.0.0.2:40000' },
    summary: expect.stringContaining('thrown away 3 times'),
  });
  expect(over(4, 0, 0, 9)).toMatchObject({ status: 'warn', subject: { pid: 42 } });
  expect(over(0, 0, 0, 9)?.status).toBe('info');
});

test('old losses are info, nothing is a pass, without counters unknown', () => {
  expect(over(0, 0, 0, 0)?.status).toBe('info');
  const quiet = judgeOne(receivePrune, { first: { net: counters(5, 0, 0, 5) }, last: { net: counters(5, 0, 0, 5) } });
  expect(quiet[0]?.status).toBe('pass');
  expect(judgeOne(receivePrune, {})[0]?.status).toBe('unknown');
});
