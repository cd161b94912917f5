import { expect, test } from 'vitest';
import { acceptStrategy } from '../../../../src/checks/host/accept-strategy.js';
import { judgeOne } from '../../../support/judge.js';
import { listenerOf, processOf } from '../../../support/snapshot.js';

interface Case {
  workers: number;
  exclusive?: boolean;
  setsEach?: number;
  accepted?: number;
}

function run({ workers, exclusive = false, setsEach = 1, accepted = 0 }: Case) {
  const epollSets = Array.from({ length: setsEach }, (_, set) => ({
    ...{ fd: 4 + set, watches: 1, listeners: [{ inode: 7, exclusive }] },
  }));
  const processes = Array.from({ length: workers }, (_, index) => processOf({ pid: 100 + index, ppid: 42, epollSets }));
  return judgeOne(acceptStrategy, {
    first: { net: { counters: { TcpPassiveOpens: 50 } } },
    last: {
      host: { processes: [processOf(), ...processes] },
      net: { counters: { TcpPassiveOpens: 50 + accepted } },
      sockets: { listeners: [listenerOf({ inode: 7 })] },
    },
  });
}

test('a herd is info, under load a warning, and the common parent is the subject', () => {
  const [result, ...others] = run({ workers: 4 });
  expect(others).toEqual([]);
  expect(result).toMatchObject({ status: 'info', subject: { pid: 42, comm: 'server', listener: '0.0.0.0:8080' } });
  expect(result?.summary).toContain('4 epoll sets of server (pid 100), server (pid 101)');
  expect(run({ workers: 4, accepted: 500 })[0]).toMatchObject({
    status: 'warn',
    summary: expect.stringContaining('500 connections a second'),
  });
});

test('threads of one process with a set each are a herd too', () => {
  expect(run({ workers: 1, setsEach: 4 })[0]).toMatchObject({ status: 'info', subject: { pid: 100 } });
});

test('EPOLLEXCLUSIVE, few waiters, nothing that listens', () => {
  expect(run({ workers: 8, exclusive: true, accepted: 900 })[0]?.status).toBe('pass');
  expect(run({ workers: 3, accepted: 900 })[0]?.status).toBe('pass');
  expect(judgeOne(acceptStrategy, {})[0]?.status).toBe('not-applicable');
});
