import type { Evidence } from '../../model/results.js';
import type { Process } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, needsWindow, notApplicable, pass } from '../findings.js';
import { growth, type Pair } from '../view.js';
import { percent, round } from './numbers.js';
import { named, nothingToJudge, servingPids, unseen } from './subjects.js';

interface Share {
  process: Process;
  userMs: number;
  systemMs: number;
  /** Of one CPU, over the window. */
  cpuPercent: number;
  kernelPercent: number;
}

/** Ten ticks of the accounting clock: with fewer the split between user and kernel is chance. */
const MIN_CPU_MS = 100;

export const kernelShare = defineCheck({
  id: 'kernel-share',
  title: 'CPU time inside the kernel',
  category: 'application',
  scope: 'host',
  priority: 20,
  thresholds: {
    kernelPercent: { default: 60, unit: '%', description: 'Kernel share of the CPU time of a process' },
    cpuPercent: { default: 10, unit: '%', description: 'Processes that use less of one CPU are left out' },
  },
  page: {
    mechanism:
      'A server that moves small messages spends most of its CPU time not in its own code but in the kernel: system calls, locks, buffers, the protocol, and above all waking the peer. The SocksDirect authors measured 77 to 92 % in socket calls for common servers. Batching helps, and so do sockets that stay in user space between two programs of one host.',
    reads:
      'utime and stime of /proc/PID/stat, twice, for processes that serve sockets or were asked for by name. The kernel share is an upper bound of the share of its socket calls: files, memory and locks are in it too. Telling them apart needs tracing, which this check does not do.',
    threshold:
      'info: a process used 10 % of a CPU or more within the window (and at least 100 ms), more than 60 % of it in the kernel.',
    why: 'Most of the CPU time of this program is spent below it: making its own code faster changes little.',
    remedy:
      'Fewer and larger calls (buffering, writev, sendmmsg, io_uring). If the traffic is between programs of this host (see local-traffic), it is a candidate for the user-space sockets.',
    risk: 'None: this is an observation.',
    undo: 'nothing was changed',
    needs: 'a change of the program',
    sources: [
      'proc_pid_stat(5): utime, stime',
      'B. Li et al.: SocksDirect: Datacenter Sockets can be Fast and Compatible (SIGCOMM 2019)',
    ],
  },
  judge({ host, snapshot, threshold }: HostContext): Finding[] {
    const { windowMs } = host;
    if (windowMs === undefined) return [needsWindow()];
    const serves = servingPids(snapshot);
    const serving = host.processes.filter((pair) => pair.first && serves(pair.last));
    if (serving.length === 0)
      return nothingToJudge(snapshot, 'no process that serves sockets was there for the whole window');
    const busy = serving
      .flatMap((pair) => share(pair, windowMs))
      .filter((s) => s.cpuPercent >= threshold('cpuPercent') && s.userMs + s.systemMs >= MIN_CPU_MS);
    if (busy.length === 0)
      return [
        notApplicable(
          `none of ${serving.length} serving processes used ${threshold('cpuPercent')} % of a CPU within the window`,
        ),
        ...unseen(snapshot),
      ];
    const heavy = busy.filter((s) => s.kernelPercent > threshold('kernelPercent'));
    if (heavy.length > 0) return [...heavy.map((s) => report(host, s)), ...unseen(snapshot)];
    const worst = busy.toSorted((a, b) => b.kernelPercent - a.kernelPercent)[0] as Share;
    return [
      pass(
        `${named(worst.process)} spends the most of its CPU time in the kernel: ${percent(worst.kernelPercent)}`,
        evidence(worst),
      ),
      ...unseen(snapshot),
    ];
  },
});

function share({ first, last }: Pair<Process>, windowMs: number): Share[] {
  const userMs = growth(first?.userMs, last.userMs);
  const systemMs = growth(first?.systemMs, last.systemMs);
  if (userMs === undefined || systemMs === undefined) return [];
  const total = userMs + systemMs;
  return [
    {
      process: last,
      userMs,
      systemMs,
      cpuPercent: (100 * total) / windowMs,
      kernelPercent: total > 0 ? (100 * systemMs) / total : 0,
    },
  ];
}

function report(host: HostContext['host'], used: Share): Finding {
  return info(
    `${named(used.process)} used ${percent(used.cpuPercent)} of a CPU, ${percent(used.kernelPercent)} of that in the kernel (an upper bound of what its socket calls cost)`,
    evidence(used),
    {
      subject: host.subject(used.process.pid),
      weight: (used.kernelPercent * used.cpuPercent) / 100,
      remedy: {
        summary: 'Fewer and larger calls; if its peers are on this host, a candidate for the user-space sockets',
      },
    },
  );
}

function evidence({ process, userMs, systemMs, kernelPercent }: Share): Evidence[] {
  const source = `/proc/${process.pid}/stat`;
  return [
    { source, key: 'utime', value: round(userMs), unit: 'ms', scope: 'window' },
    { source, key: 'stime', value: round(systemMs), unit: 'ms', scope: 'window' },
    { source, key: 'kernel share', value: round(kernelPercent), unit: '%', scope: 'window' },
  ];
}
