import type { Evidence } from '../../model/results.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { needsWindow, pass, unknown, warn } from '../findings.js';
import { growth } from '../view.js';
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

export const contextSwitches = defineCheck({
  id: 'context-switches',
  title: 'Threads pushed off their CPU',
  category: 'cpu',
  scope: 'host',
  priority: 45,
  thresholds: {
    involuntaryPerSecond: { default: 30, unit: '1/s', description: 'Involuntary switches of one thread' },
    delayPercent: { default: 5, unit: '%', description: 'Run delay of the same thread, as in run-queue-delay' },
  },
  page: {
    mechanism:
      'A voluntary switch is a thread that waits for something: a server does that all day. An involuntary switch is a thread that still had work and was pushed off its CPU in favour of another. Alone neither is bad; involuntary switches together with time lost in the run queue show that runnable threads share too few CPUs, and each switch also costs warm caches.',
    reads:
      'nonvoluntary_ctxt_switches of /proc/PID/task/TID/status and the run delay of /proc/PID/task/TID/schedstat, twice; ctxt of /proc/stat for the host.',
    threshold:
      'warn: a thread of a serving process was switched off against its will more than 30 times a second and waited for a CPU more than 5 % of the window. Either one alone passes.',
    why: 'The thread is preempted in the middle of requests: tail latency grows, and each return finds colder caches.',
    remedy:
      'The same as for run-queue-delay: fewer busy threads than CPUs, competing work on other CPUs or with a lower CPUWeight=, interrupts elsewhere.',
    risk: 'Pinning takes freedom from the scheduler: a CPU can idle while another has a queue.',
    undo: 'Remove the affinity (taskset -acp with the former list) or the CPUWeight= line and reload.',
    needs: 'nothing: affinity and weights change while the program runs',
    sources: [
      'proc_pid_status(5): voluntary_ctxt_switches, nonvoluntary_ctxt_switches',
      'https://docs.kernel.org/scheduler/sched-stats.html (/proc/<pid>/schedstat)',
    ],
  },
  judge(context: HostContext): Finding[] {
    const { host, snapshot, threshold } = context;
    if (host.windowMs === undefined) return [needsWindow()];
    const seconds = host.windowMs / 1000;
    const { processes, judged } = threadWindows(context);
    if (judged === 0) return nothingToJudge(snapshot, 'no process that serves sockets was there for the whole window');
    const counted = processes.flatMap((p) => p.threads).filter((t) => t.involuntary !== undefined);
    if (counted.length === 0) return [unknown('switches and run delay of threads could not be read')];
    const findings = processes.flatMap((entry) => {
      const pushed = lateThreads(entry, threshold('delayPercent'), 0).filter(
        (t) => (t.involuntary ?? 0) / seconds > threshold('involuntaryPerSecond'),
      );
      return pushed.length > 0 ? [report(context, entry, pushed, seconds)] : [];
    });
    return [...(findings.length > 0 ? findings : [healthy(context, counted, seconds)]), ...unseen(snapshot)];
  },
});

const rate = (thread: ThreadWindow, seconds: number): number => (thread.involuntary ?? 0) / seconds;

function report({ host }: HostContext, entry: ProcessWindow, pushed: ThreadWindow[], seconds: number): Finding {
  const order = pushed.toSorted((a, b) => rate(b, seconds) - rate(a, seconds));
  const worst = order[0] as ThreadWindow;
  const others = order.slice(1).map((t) => `${threadName(t.thread)} ${Math.round(rate(t, seconds))}/s`);
  return warn(
    `${named(entry.process)}: thread ${threadName(worst.thread)} was pushed off its CPU ${Math.round(rate(worst, seconds))} times a second and waited ${percent(worst.delayPercent)} of the time for one${others.length > 0 ? `; also ${listed(others)}` : ''}`,
    [...order.slice(0, 5).flatMap((t) => evidence(t)), ...hostEvidence(host)],
    {
      subject: { ...host.subject(entry.process.pid), tid: worst.thread.tid },
      why: `${contention(host, entry)} The thread is preempted in the middle of requests: tail latency grows, and each return finds colder caches.`,
      weight: rate(worst, seconds),
    },
  );
}

function evidence({ thread, involuntary, delayMs }: ThreadWindow): Evidence[] {
  const subject = { pid: thread.pid, tid: thread.tid, comm: thread.comm };
  const status = `/proc/${thread.pid}/task/${thread.tid}/status`;
  return [
    { source: status, key: 'nonvoluntary_ctxt_switches', value: involuntary ?? 0, unit: '1', scope: 'window', subject },
    { source: schedstatPath(thread), key: 'run_delay', value: round(delayMs, 3), unit: 'ms', scope: 'window', subject },
  ];
}

function hostEvidence(host: HostContext['host']): Evidence[] {
  const switches = growth(host.first?.contextSwitches, host.last.contextSwitches);
  return switches === undefined
    ? []
    : [{ source: '/proc/stat', key: 'ctxt', value: switches, unit: '1', scope: 'window' }];
}

function healthy({ host }: HostContext, threads: readonly ThreadWindow[], seconds: number): Finding {
  const worst = threads.toSorted((a, b) => rate(b, seconds) - rate(a, seconds))[0] as ThreadWindow;
  return pass(
    `no serving thread is both pushed off its CPU and kept waiting; most involuntary switches: ${threadName(worst.thread)}, ${Math.round(rate(worst, seconds))} a second`,
    [...evidence(worst), ...hostEvidence(host)],
  );
}
