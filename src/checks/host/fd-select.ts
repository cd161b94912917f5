import type { Evidence } from '../../model/results.js';
import type { Process, SelectSample } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { fail, pass, unknown, warn } from '../findings.js';
import type { HostView } from '../view.js';
import { listed, named, unseen } from './subjects.js';

/** What an fd_set of the C library holds: descriptors 0 to 1023. */
const FD_SETSIZE = 1024;

export const fdSelect = defineCheck({
  id: 'fd-select',
  title: 'select() with high descriptors',
  category: 'application',
  scope: 'host',
  priority: 75,
  page: {
    mechanism:
      'The fd_set of the C library has room for descriptors 0 to 1023. FD_SET() with a higher number writes past it: onto whatever lies next to it on the stack, without an error. The kernel itself takes larger sets, so only programs that make their own are safe. Besides, select() looks at every descriptor below nfds on each call.',
    reads:
      'Threads caught in select() or pselect6() while /proc/PID/task/*/syscall was sampled over the window, with the first argument nfds; the highest descriptor of their process in /proc/PID/fd. select() with nfds 0 is a sleep, and is left out.',
    threshold:
      'warn: a thread is in select() in a process whose descriptors reach 1024. fail: nfds above 1024. Threads that were not caught in the call are not seen.',
    why: 'The next descriptor above 1023 that gets into a set overwrites memory: crashes and hung connections that come and go with the number of connections.',
    remedy:
      'Change the program (or its library) to poll() or epoll. Until then keep its limit at 1024, so that it fails cleanly with EMFILE.',
    risk: 'With the limit at 1024 the program takes fewer connections. Lowering it is the point here.',
    undo: 'prlimit --pid PID --nofile=SOFT: with the former number.',
    needs: 'a change of the program',
    sources: ['select(2): the warning about FD_SETSIZE', 'poll(2)', 'epoll(7)'],
  },
  judge({ host, snapshot }: HostContext): Finding[] {
    const samples = snapshot.observed.selects;
    if (samples === undefined)
      return [
        unknown('system calls of threads could not be sampled (needs CAP_SYS_PTRACE; /proc/PID/task/TID/syscall)'),
      ];
    const waiting = samples.filter((sample) => sample.nfds > 0);
    const byPid = new Map<number, SelectSample[]>();
    for (const sample of waiting) byPid.set(sample.pid, [...(byPid.get(sample.pid) ?? []), sample]);
    const findings = host.processes.flatMap(({ last }) => judgeProcess(host, last, byPid.get(last.pid) ?? []));
    return [...(findings.length > 0 ? findings : [healthy(waiting)]), ...unseen(snapshot)];
  },
});

function judgeProcess(host: HostView, process: Process, samples: readonly SelectSample[]): Finding[] {
  const highest = process.descriptors?.highest ?? -1;
  const worst = samples.toSorted((a, b) => b.nfds - a.nfds)[0];
  if (!worst || (highest < FD_SETSIZE && worst.nfds <= FD_SETSIZE)) return [];
  const beyond = worst.nfds > FD_SETSIZE;
  const extra = { subject: { ...host.subject(process.pid), tid: worst.tid }, weight: worst.nfds };
  const rows = evidence(process, samples, highest);
  if (beyond)
    return [
      fail(
        `${named(process)} calls select() with nfds ${worst.nfds}: an fd_set holds ${FD_SETSIZE} descriptors, and unless the program makes larger ones itself it writes past the end`,
        rows,
        extra,
      ),
    ];
  return [
    warn(
      `${named(process)} calls select() (nfds ${worst.nfds}) while its descriptors reach ${highest}: an fd_set ends at ${FD_SETSIZE - 1}`,
      rows,
      extra,
    ),
  ];
}

function evidence(process: Process, samples: readonly SelectSample[], highest: number): Evidence[] {
  const threads = samples.slice(0, 5).map(
    ({ pid, tid, comm, nfds }): Evidence => ({
      source: `/proc/${pid}/task/${tid}/syscall`,
      key: 'nfds',
      value: nfds,
      unit: '1',
      scope: 'window',
      subject: { pid, tid, comm },
    }),
  );
  return [
    ...threads,
    { source: `/proc/${process.pid}/fd`, key: 'highest', value: highest, unit: '1', scope: 'now' },
    ...(process.descriptors
      ? [
          {
            source: `/proc/${process.pid}/fd`,
            key: 'open',
            value: process.descriptors.open,
            unit: '1',
            scope: 'now' as const,
          },
        ]
      : []),
  ];
}

function healthy(waiting: readonly SelectSample[]): Finding {
  if (waiting.length === 0) return pass('no thread with sockets was caught in select()');
  const names = [...new Set(waiting.map(named))];
  return pass(`${listed(names)} use${names.length === 1 ? 's' : ''} select(), with descriptors below ${FD_SETSIZE}`);
}
