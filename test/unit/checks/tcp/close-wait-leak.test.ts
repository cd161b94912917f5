import { expect, test } from 'vitest';
import { closeWaitLeak } from '../../../../src/checks/tcp/close-wait-leak.js';
import type { Connection } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf, processOf } from '../../../support/snapshot.js';

const holding = (count: number) => ({ processes: [processOf({ tcp: { 'close-wait': count } })] });
const over = (before: number, after: number, connections: Connection[] = []) =>
  judgeOne(closeWaitLeak, {
    first: { host: holding(before) },
    last: { host: holding(after), sockets: { connections } },
  })[0];
const aged = (lastAckReceivedMs: number) => connectionOf({ state: 'close-wait', lastAckReceivedMs });

test('many and growing is a warning that names the process', () => {
  expect(over(60, 75)).toMatchObject({
    status: 'warn',
    subject: { pid: 42, comm: 'server' },
    summary: 'server (pid 42) has 75 connections in CLOSE_WAIT, 15 more than at the beginning of the window',
  });
  expect(over(60, 75, [aged(10), aged(9000)])?.status).toBe('warn');
});

test('not growing, or growing but all young, is info; few pass', () => {
  expect(over(75, 75)?.status).toBe('info');
  expect(over(60, 75, [aged(10), aged(300)])?.status).toBe('info');
  expect(over(10, 49)?.status).toBe('pass');
  expect(judgeOne(closeWaitLeak, { last: { host: holding(80) } })[0]?.status).toBe('info');
  expect(judgeOne(closeWaitLeak, {})[0]?.status).toBe('pass');
});
