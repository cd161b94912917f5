import type { Evidence } from '../../model/results.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { needsWindow, pass, unknown, warn } from '../findings.js';
import { contention } from './contention.js';
import { percent, round } from './numbers.js';
import { listed, named, nothingToJudge, unseen } from './subjects.js';
import {
  lateThreads,
  type ProcessWindow,
  schedstatPath,
  type ThreadWindow,
  threadName,
  threadWindows,
} from './threads.js';

export const runQueueDelay = defineCheck({
  id: 'run-queue-delay',
  title: 'Waiting for a CPU',
  category: 'cpu',
  scope: 'host',
  priority: 60,
  thresholds: {
    delayPercent: { default: 5, unit: '%', description: 'Share of the wall time that a thread waited for a CPU' },
    minRunPercent: { default: 0.1, unit: '%', description: 'Threads that ran for less than this are left out' },
  },
  page: {
    mechanism:
      'A thread that was woken (data arrived, a lock was released) is runnable, but it only runs when the scheduler gives it a CPU. Until then the request that it is to serve waits, however short the handling itself is. The kernel adds this time up per thread as its run delay.',
    reads:
      'The second number of /proc/PID/task/TID/schedstat (nanoseconds spent waiting on a run queue), twice; for the threads of processes that listen, hold accepted connections, or were asked for by name.',
    threshold:
      'warn: a thread waited more than 5 % of the window (and at least 20 ms), and ran at all (0.1 % of the window). Clients and batch jobs that serve nobody are not judged.',
    why: 'Each request pays this wait on top of its own work, at each wake-up: it is latency that no network setting can remove.',
    remedy:
      'Give the service CPUs of its own: move the competing work away (CPUAffinity=, a cpuset, a lower CPUWeight= for it), run no more busy threads than there are CPUs, and keep the interrupts of the NIC off the CPUs of the service.',
    risk: 'Pinning takes freedom from the scheduler: a CPU can idle while another has a queue.',
    undo: 'Remove the affinity (taskset -acp with the former list) or the CPUWeight= line and reload.',
    needs: 'nothing: affinity and weights change while the program runs',
    sources: [
      'https://docs.kernel.org/scheduler/sched-stats.html (/proc/<pid>/schedstat)',
      'systemd.resource-control(5): CPUWeight=; systemd.exec(5): CPUAffinity=',
      'taskset(1)',
    ],
  },
  judge(context: HostContext): Finding[] {
    const { host, snapshot, threshold } = context;
    if (host.windowMs === undefined) return [needsWindow()];
    const { processes, judged } = threadWindows(context);
    if (judged === 0) return nothingToJudge(snapshot, 'no process that serves sockets was there for the whole window');
    if (processes.length === 0)
      return [
        unknown('the kernel shows no schedstat (it is built without CONFIG_SCHED_INFO), so delays are not known'),
      ];
    const minRunMs = (threshold('minRunPercent') / 100) * host.windowMs;
    const findings = processes.flatMap((entry) => {
      const late = lateThreads(entry, threshold('delayPercent'), minRunMs);
      return late.length > 0 ? [report(context, entry, late)] : [];
    });
    return [...(findings.length > 0 ? findings : [healthy(processes)]), ...unseen(snapshot)];
  },
});

function report({ host }: HostContext, entry: ProcessWindow, late: readonly ThreadWindow[]): Finding {
  const worst = late[0] as ThreadWindow;
  const others = late.slice(1).map((t) => `${threadName(t.thread)} ${percent(t.delayPercent)}`);
  const also = others.length > 0 ? `; also ${listed(others)}` : '';
  return warn(
    `${named(entry.process)}: thread ${threadName(worst.thread)} waited ${round(worst.delayMs)} ms of ${Math.round(host.windowMs ?? 0)} ms for a CPU (${percent(worst.delayPercent)})${also}`,
    late.slice(0, 5).flatMap((t) => evidence(t)),
    {
      subject: { ...host.subject(entry.process.pid), tid: worst.thread.tid },
      why: `${contention(host, entry)} Each request pays this wait on top of its own work.`,
      weight: worst.delayPercent,
    },
  );
}

function evidence({ thread, delayMs, runMs, timeslices }: ThreadWindow): Evidence[] {
  const source = schedstatPath(thread);
  const subject = { pid: thread.pid, tid: thread.tid, comm: thread.comm };
  const row = (key: string, value: number, unit: string): Evidence => ({
    source,
    key,
    value: round(value, 3),
    unit,
    scope: 'window',
    subject,
  });
  return [
    row('run_delay', delayMs, 'ms'),
    row('run', runMs, 'ms'),
    ...(timeslices ? [row('run_delay_per_timeslice', delayMs / timeslices, 'ms')] : []),
  ];
}

function healthy(processes: readonly ProcessWindow[]): Finding {
  const threads = processes.flatMap((p) => p.threads).toSorted((a, b) => b.delayMs - a.delayMs);
  const worst = threads[0] as ThreadWindow;
  return pass(
    `of ${threads.length} threads that serve sockets the worst, ${threadName(worst.thread)}, waited ${round(worst.delayMs)} ms for a CPU (${percent(worst.delayPercent)})`,
    evidence(worst),
  );
}
