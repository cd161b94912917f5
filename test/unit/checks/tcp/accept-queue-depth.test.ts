import { expect, test } from 'vitest';
import { acceptQueueDepth } from '../../../../src/checks/tcp/accept-queue-depth.js';
import { judgeOne } from '../../../support/judge.js';
import { listenerOf } from '../../../support/snapshot.js';

const depth = (backlog: number, before: number | undefined, queue: number) =>
  judgeOne(acceptQueueDepth, {
    ...(before === undefined ? {} : { first: { sockets: { listeners: [listenerOf({ backlog, queue: before })] } } }),
    last: { sockets: { listeners: [listenerOf({ backlog, queue })] } },
  })[0];

test('nearly full at both readings fails, once is a warning, and the listener is named', () => {
  expect(depth(128, 129, 125)).toMatchObject({
    status: 'fail',
    subject: { pid: 42, fd: 3, listener: '0.0.0.0:8080' },
    summary:
      '0.0.0.0:8080 (server, pid 42) has 125 connections waiting, room for 129; up to 100 % full at both readings',
  });
  expect(depth(128, 0, 110)?.status).toBe('warn');
  expect(depth(128, 110, 0)?.status).toBe('warn');
  expect(depth(128, undefined, 125)?.status).toBe('warn');
});

test('a small queue counts only when it stays full; a moderate one passes', () => {
  expect(depth(1, 1, 1)?.status).toBe('pass');
  expect(depth(0, 0, 1)?.status).toBe('pass');
  expect(depth(1, 2, 2)?.status).toBe('warn');
  expect(depth(1, undefined, 2)?.status).toBe('pass');
  expect(depth(128, 90, 90)).toMatchObject({ status: 'pass', summary: expect.stringContaining('90 of 128') });
});

test('without sockets unknown; a listener of nobody else than the selection only', () => {
  const { sockets: _, ...nothing } = { sockets: undefined };
  expect(judgeOne(acceptQueueDepth, { last: { net: { ...nothing, sockets: undefined as never } } })[0]?.status).toBe(
    'unknown',
  );
  const selected = (pids: number[]) =>
    judgeOne(acceptQueueDepth, {
      last: { sockets: { listeners: [listenerOf({ queue: 120 })] } },
      snapshot: { selection: { pids } },
    })[0]?.status;
  expect(selected([42])).toBe('warn');
  expect(selected([43])).toBe('pass');
});
