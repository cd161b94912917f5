import type { Evidence } from '../../model/results.js';
import type { Listener, Process } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, notApplicable, pass, unknown, warn } from '../findings.js';
import { round } from './numbers.js';
import { listed, named, unseen } from './subjects.js';

/** One epoll set that watches a listener. */
interface Waiter {
  process: Process;
  fd: number;
  exclusive: boolean;
}

export const acceptStrategy = defineCheck({
  id: 'accept-strategy',
  title: 'Many waiters on one listener',
  category: 'application',
  scope: 'netns',
  priority: 30,
  thresholds: {
    waiters: { default: 4, unit: '1', description: 'epoll sets that watch one listener without EPOLLEXCLUSIVE' },
    acceptsPerSecond: {
      default: 100,
      unit: '1/s',
      description: 'Connections accepted in the namespace: a warning above',
    },
  },
  page: {
    mechanism:
      'Workers that share one listening socket, each with an epoll set of its own, are all woken by each new connection; one accepts it, the others find nothing (EAGAIN) and go back to sleep: the thundering herd. With EPOLLEXCLUSIVE the kernel wakes one or a few of them. With SO_REUSEPORT each worker has a listener and an accept queue of its own. Threads blocked in accept() are woken one at a time anyway.',
    reads:
      'The listeners in /proc/PID/fdinfo of epoll descriptors (the tfd lines and their events) joined with the inodes of listening sockets; TcpPassiveOpens, twice. How many accepts one wake-up yields is not read: that needs tracing.',
    threshold:
      'info: four or more epoll sets watch one listener without EPOLLEXCLUSIVE. warn: that, while the namespace takes 100 connections a second or more.',
    why: 'Each new connection wakes every worker: context switches grow with the number of workers instead of with the load.',
    remedy:
      'Register the listener with EPOLLEXCLUSIVE (Linux 4.5; nginx, for one, does by itself), or give each worker its own listener with SO_REUSEPORT (nginx: listen … reuseport).',
    risk: 'EPOLLEXCLUSIVE tends to favour the worker that waits first: load may be uneven. With SO_REUSEPORT the connections queued at a worker that ends are reset.',
    undo: 'Take the flag or the option out again.',
    needs: 'a change of the program or of its configuration, and its restart',
    sources: [
      'epoll_ctl(2): EPOLLEXCLUSIVE',
      'socket(7): SO_REUSEPORT',
      "T. Brecht, D. Pariag, L. Gammo: accept()able Strategies for Improving Web Server Performance (USENIX '04)",
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net, snapshot, threshold } = context;
    const { sockets } = net.last;
    if (!sockets) return [unknown('the sockets of this namespace could not be read')];
    if (sockets.listeners.length === 0) return [notApplicable('nothing listens in this namespace')];
    const watched = watchersByInode(net.processes.map((pair) => pair.last));
    const found = sockets.listeners.flatMap((listener) => {
      const herd = (watched.get(listener.inode) ?? []).filter((waiter) => !waiter.exclusive);
      return herd.length >= threshold('waiters') ? [report(context, listener, herd)] : [];
    });
    if (found.length > 0) return found;
    const most = Math.max(0, ...[...watched.values()].map((waiters) => waiters.length));
    return [
      pass(`of ${sockets.listeners.length} listeners none wakes a herd; the most epoll sets on one: ${most}`),
      ...unseen(snapshot),
    ];
  },
});

function watchersByInode(processes: readonly Process[]): Map<number, Waiter[]> {
  const watchers = new Map<number, Waiter[]>();
  for (const process of processes) {
    for (const set of process.epollSets ?? []) {
      for (const { inode, exclusive } of set.listeners) {
        watchers.set(inode, [...(watchers.get(inode) ?? []), { process, fd: set.fd, exclusive }]);
      }
    }
  }
  return watchers;
}

function report({ net, host, threshold }: NetContext, listener: Listener, herd: readonly Waiter[]): Finding {
  const accepted = net.delta('TcpPassiveOpens');
  const rate = accepted === undefined || !net.windowMs ? undefined : accepted / (net.windowMs / 1000);
  const busy = rate !== undefined && rate >= threshold('acceptsPerSecond');
  const processes = [...new Set(herd.map((waiter) => waiter.process))];
  const say = busy ? warn : info;
  const load = rate !== undefined ? `; ${round(rate)} connections a second are accepted in this namespace` : '';
  const parent = commonParent(processes);
  return say(
    `${herd.length} epoll sets of ${listed(processes.map(named))} watch ${listener.local} without EPOLLEXCLUSIVE: each connection wakes all of them${load}`,
    [
      ...herd.slice(0, 8).map((waiter) => evidence(waiter, host.subject(waiter.process.pid))),
      ...net.evidence('TcpPassiveOpens'),
    ],
    {
      subject: { ...host.subject(parent ?? processes[0]?.pid), listener: listener.local },
      weight: herd.length * (rate ?? 1),
      remedy: {
        summary: `Watch ${listener.local} with EPOLLEXCLUSIVE, or give each worker a listener with SO_REUSEPORT`,
      },
    },
  );
}

/** The parent that forked all of them, if there is one: it is whom a person would restart. */
function commonParent(processes: readonly Process[]): number | undefined {
  const parents = new Set(processes.map((process) => process.ppid));
  const [parent] = parents;
  return parents.size === 1 && processes.length > 1 && parent !== undefined && parent > 1 ? parent : undefined;
}

const evidence = ({ process, fd }: Waiter, subject: Evidence['subject']): Evidence => ({
  source: `/proc/${process.pid}/fdinfo/${fd}`,
  key: 'watches the listener without EPOLLEXCLUSIVE',
  value: true,
  unit: '',
  scope: 'now',
  ...(subject ? { subject } : {}),
});
