import { expect, test } from 'vitest';
import { processPerConnection } from '../../../../src/checks/host/process-per-connection.js';
import type { Listener, Process, ServingProcess, Thread } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { listenerOf, processOf, threadOf } from '../../../support/snapshot.js';

interface Case {
  listener?: Partial<Listener>;
  children?: Partial<ServingProcess>[];
  processes?: Partial<Process>[];
  threads?: Partial<Thread>[];
  cpus?: number;
}

function run({ listener, children = [], processes = [], threads = [], cpus = 2 }: Case) {
  const serving = children.map((child, index) => ({
    pid: 100 + index,
    ppid: 42,
    comm: 'server',
    connections: 1,
    ...child,
  }));
  return judgeOne(processPerConnection, {
    host: { cpus: Array.from({ length: cpus }, (_, cpu) => ({ cpu })) },
    last: {
      host: {
        processes: [processOf({ tcp: { listen: 1 } }), ...processes.map(processOf)],
        threads: threads.map(threadOf),
      },
      sockets: {
        listeners: [
          listenerOf({ inode: 7, connections: serving.length, serving, servingCount: serving.length, ...listener }),
        ],
      },
    },
  });
}

const six = Array.from({ length: 6 }, () => ({}));
const each = (name: string, arg0 = 5) =>
  six.map((_, index) => ({ pid: 100 + index, tid: 100 + index, call: { name, arg0 } }));

test('children with one connection each are found, with the parent as subject', () => {
  const [result, ...others] = run({ children: six, threads: each('recvfrom') });
  expect(others).toEqual([]);
  expect(result).toMatchObject({
    status: 'info',
    subject: { pid: 42, comm: 'server', listener: '0.0.0.0:8080' },
    summary:
      'server serves 0.0.0.0:8080 with a process for each connection: 6 processes (100, 101, 102, 103 and 2 more)',
  });
  expect(result?.evidence[0]).toMatchObject({ key: 'processes with one connection', value: 6 });
});

test('four children, or a child that holds several connections, pass', () => {
  expect(run({ children: six.slice(2) })[0]?.status).toBe('pass');
  expect(run({ children: [...six, { connections: 3 }] })[0]?.status).toBe('pass');
});

test('workers that watch the listener are event loops, whatever they hold now', () => {
  const watching = six.map((_, index) => ({
    pid: 100 + index,
    ppid: 42,
    epollSets: [{ fd: 4, watches: 2, listeners: [{ inode: 7, exclusive: true }] }],
  }));
  expect(run({ children: six, processes: watching })[0]?.status).toBe('pass');
});

test('pre-forked workers that hold the listener and wait in poll or accept pass', () => {
  const owners = six.map((_, index) => ({ pid: 100 + index, comm: 'server', fd: 3 }));
  expect(run({ children: six, listener: { owners }, threads: each('poll') })[0]?.status).toBe('pass');
  expect(run({ children: six, listener: { owners }, threads: each('accept4') })[0]?.status).toBe('pass');
  // forked without closing the listener, blocked on its own connection
  expect(run({ children: six, listener: { owners }, threads: each('recvfrom') })[0]?.status).toBe('info');
});

test('children with epoll count only where they outnumber the CPUs', () => {
  expect(run({ children: six, threads: each('epoll_wait'), cpus: 8 })[0]?.status).toBe('pass');
  expect(run({ children: six, threads: each('epoll_wait'), cpus: 2 })[0]?.status).toBe('info');
});

const threads = (count: number, call: string, waitChannel = 'wait_woken') =>
  Array.from({ length: count }, (_, index) => ({
    tid: 200 + index,
    call: { name: call, arg0: 10 + index },
    waitChannel,
  }));
const one = (connections: number) => ({ children: [{ pid: 42, ppid: 1, connections }], listener: { connections } });

test('threads that are blocked on a connection each are found', () => {
  expect(run({ ...one(8), threads: threads(8, 'recvfrom') })[0]).toMatchObject({
    status: 'info',
    subject: { pid: 42, listener: '0.0.0.0:8080' },
    summary: expect.stringContaining('a thread for each connection: 8 threads'),
  });
  expect(run({ ...one(8), threads: threads(8, 'read') })[0]?.status).toBe('info');
});

test('threads that read pipes, few threads of many connections, and one event loop pass', () => {
  expect(run({ ...one(8), threads: threads(8, 'read', 'pipe_read') })[0]?.status).toBe('pass');
  expect(run({ ...one(100), threads: threads(8, 'recvfrom') })[0]?.status).toBe('pass');
  expect(run({ ...one(100), threads: [{ tid: 42, call: { name: 'epoll_wait', arg0: 3 } }] })[0]?.status).toBe('pass');
});

test('hundreds of processes are a warning; nothing served is not applicable', () => {
  const many = Array.from({ length: 64 }, () => ({}));
  expect(run({ children: many, listener: { servingCount: 300 } })[0]).toMatchObject({
    status: 'warn',
    summary: expect.stringContaining('300 processes'),
  });
  expect(run({})[0]?.status).toBe('not-applicable');
});
