import type { Process, Thread } from '../../model/snapshot/index.js';
import type { HostContext } from '../check.js';
import { growth } from '../view.js';
import { servingPids } from './subjects.js';

/** What one thread did over the window. */
export interface ThreadWindow {
  thread: Thread;
  runMs: number;
  delayMs: number;
  /** Share of the wall time that it was runnable and waited for a CPU. */
  delayPercent: number;
  timeslices?: number;
  involuntary?: number;
}

export interface ProcessWindow {
  process: Process;
  /** Longest delay first. */
  threads: ThreadWindow[];
}

/** Below this a delay is the noise of a slice or two, however short the window. */
const MIN_DELAY_MS = 20;

/**
 * The threads of serving processes, by process, as far as both readings have their schedstat. `judged` counts the
 * threads that were there to measure: some, and none measured, means that the kernel shows no schedstat.
 */
export function threadWindows({ host, snapshot }: HostContext): { processes: ProcessWindow[]; judged: number } {
  const serves = servingPids(snapshot);
  const byPid = new Map<number, ProcessWindow>();
  let judged = 0;
  for (const { first, last } of host.threads) {
    const process = host.process(last.pid);
    if (!first || !process || !serves(process)) continue;
    judged++;
    const measured = measure(first, last, host.windowMs ?? 0);
    if (!measured) continue;
    const entry = byPid.get(last.pid) ?? { process, threads: [] };
    entry.threads.push(measured);
    byPid.set(last.pid, entry);
  }
  const processes = [...byPid.values()];
  for (const entry of processes) entry.threads.sort((a, b) => b.delayMs - a.delayMs);
  return { processes, judged };
}

function measure(first: Thread, last: Thread, windowMs: number): ThreadWindow | undefined {
  const runMs = growth(first.runMs, last.runMs);
  const delayMs = growth(first.runDelayMs, last.runDelayMs);
  if (runMs === undefined || delayMs === undefined || windowMs <= 0) return undefined;
  const involuntary = growth(first.involuntarySwitches, last.involuntarySwitches);
  const timeslices = growth(first.timeslices, last.timeslices);
  return {
    thread: last,
    runMs,
    delayMs,
    delayPercent: (100 * delayMs) / windowMs,
    ...(timeslices !== undefined ? { timeslices } : {}),
    ...(involuntary !== undefined ? { involuntary } : {}),
  };
}

/** The threads that were late: a share of the wall time, more than a slice of it, and with work of their own to do. */
export function lateThreads(entry: ProcessWindow, delayPercent: number, minRunMs: number): ThreadWindow[] {
  return entry.threads.filter((t) => t.delayPercent > delayPercent && t.delayMs >= MIN_DELAY_MS && t.runMs >= minRunMs);
}

export const schedstatPath = (thread: Thread): string => `/proc/${thread.pid}/task/${thread.tid}/schedstat`;

/** "worker/4711": a thread in a sentence. */
export const threadName = (thread: Thread): string => `${thread.comm}/${thread.tid}`;
