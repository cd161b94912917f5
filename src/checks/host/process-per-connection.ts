import type { Evidence } from '../../model/results.js';
import type { Listener } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, pass, unknown, warn } from '../findings.js';
import { forkedServers, type OneEach, threadedServers } from './one-each.js';
import { listed, nothingToJudge, unseen } from './subjects.js';

export const processPerConnection = defineCheck({
  id: 'process-per-connection',
  title: 'A process or thread for each connection',
  category: 'application',
  scope: 'netns',
  priority: 30,
  thresholds: {
    atLeast: { default: 5, unit: '1', description: 'Processes or threads that hold one connection each' },
    manyProcesses: { default: 200, unit: '1', description: 'From here on it is a warning, for processes' },
    manyThreads: { default: 1000, unit: '1', description: 'From here on it is a warning, for threads' },
  },
  page: {
    mechanism:
      'A server that forks for each connection pays a fork (page tables, descriptors) per connection and a context switch per message, and its memory and run queue grow with the number of clients. Threads are cheaper by a factor, not by kind. An event loop holds thousands of connections in one thread.',
    reads:
      'sock_diag joined with /proc/PID/fd: which processes hold connections accepted on a listener, and their parents; the system call that each thread is blocked in and its descriptor, from /proc/PID/task/TID/syscall.',
    threshold:
      'info: five or more children of one parent (or threads of one process) hold exactly one connection each. warn: 200 processes or 1000 threads. Workers that watch the listener themselves, or pools in which one child holds several connections, are event loops and pass; children that use epoll only count where they outnumber the CPUs.',
    why: 'Cost per client is a process or a thread: connection rates and the number of idle clients it can carry stay low.',
    remedy:
      'Where load grows: an event loop (epoll), a pool of pre-forked workers, or a pooler in front of a program that cannot be changed (PostgreSQL: a connection pooler). For a login service such as sshd this design is right.',
    risk: 'An event loop gives up the isolation of one process per client: a crash hits all of them.',
    undo: 'nothing was changed',
    needs: 'a change of the program or of its configuration',
    sources: [
      'F. von Leitner: Scalable Network Programming (2003): fork, threads and event loops compared',
      'epoll(7)',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { sockets } = context.net.last;
    if (!sockets) return [unknown('the sockets of this namespace could not be read')];
    const serving = sockets.listeners.filter((listener) => listener.servingCount > 0);
    if (serving.length === 0)
      return nothingToJudge(context.snapshot, 'no connection that a listener accepted is held by a process');
    const least = context.threshold('atLeast');
    const found = [
      ...serving.flatMap((listener) => forkedServers(context, listener)),
      ...threadedServers(context, serving),
    ].filter((group) => group.count >= least);
    if (found.length > 0) return found.map((group) => report(context, group));
    return [
      pass(`${serving.length} listeners have connections; none gives each a process or a thread of its own`),
      ...unseen(context.snapshot),
    ];
  },
});

function report(context: NetContext, { kind, listener, pid, comm, count, born, members }: OneEach): Finding {
  const many = context.threshold(kind === 'process' ? 'manyProcesses' : 'manyThreads');
  const say = count >= many ? warn : info;
  const noun = kind === 'process' ? 'processes' : 'threads';
  const fresh = born > 0 ? `, ${born} of them started within the window` : '';
  const which = members.length > 0 ? ` (${listed(members.map(String))})` : '';
  return say(
    `${comm} serves ${listener.local} with a ${kind} for each connection: ${count} ${noun}${which}${fresh}`,
    evidence(listener, kind, count, born),
    {
      subject: { ...(pid > 1 ? context.host.subject(pid) : { comm }), listener: listener.local },
      weight: count,
      remedy: { summary: 'Where load grows: an event loop, pre-forked workers, or a pooler in front' },
    },
  );
}

function evidence(listener: Listener, kind: OneEach['kind'], count: number, born: number): Evidence[] {
  const source = kind === 'process' ? 'sock_diag and /proc/PID/fd' : '/proc/PID/task/TID/syscall';
  const key = kind === 'process' ? 'processes with one connection' : 'threads blocked on a connection of their own';
  return [
    { source, key, value: count, unit: '1', scope: 'now' },
    { source: 'sock_diag', key: 'connections', value: listener.connections, unit: 'connections', scope: 'now' },
    ...(kind === 'process'
      ? [{ source: '/proc/PID/stat', key: 'started', value: born, unit: 'processes', scope: 'window' as const }]
      : []),
  ];
}
