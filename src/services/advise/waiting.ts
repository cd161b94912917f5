import type { TransportCosts } from '../../model/advise.js';
import type { End } from './readings.js';

/** libsd looks at memory for so long before it sleeps (native/preload/connection/spinning.cc). */
const LOOK_US = 50;

/** And only for so long where others want the CPU (native/preload/readiness): then giving it away takes milliseconds. */
const LOOK_AMONG_OTHERS_US = 2;

interface Waiting {
  ends: readonly End[];
  /** CPU that each end works for this traffic by memory, in the same order. */
  atWork: readonly number[];
  connections: number;
  messagesPerS: number;
  othersCores: number;
}

/**
 * What waiting costs by memory, in CPUs. As long as one of the two is at work the other one looks at memory, which takes its CPU
 * as work does; where both have one CPU it lets the other one run instead. Where nobody is at work, or who should be has to leave
 * the CPU to others, whoever waits looks in vain and sleeps as before.
 */
export function waitingCores(use: Waiting, byKernel: TransportCosts): number {
  const { sleepsPerS, still, behindOthers, onOneCpu } = sleepsNow(use, byKernel);
  const { wakeUpUs } = byKernel;
  const sleepUs = still * (LOOK_US + wakeUpUs) + behindOthers * (LOOK_AMONG_OTHERS_US + wakeUpUs);
  return (sleepsPerS * sleepUs) / 1e6 + Math.max(0, 1 - still - behindOthers) * (1 - onOneCpu) * lookingCores(use);
}

/**
 * How much the ends look while the other one works. Over one connection they take turns; over several both are at it at once,
 * and who has less to do waits for the other one.
 */
function lookingCores({ ends, atWork, connections, messagesPerS }: Waiting): number {
  const threads = ends.map(({ cpuCores = 0 }) => Math.max(1, Math.round(cpuCores)));
  const work = atWork.reduce((sum, cores) => sum + cores, 0);
  const each = atWork.map((cores, at) => cores / (threads[at] ?? 1));
  const pace = connections === 1 ? work : Math.max(0, ...each);
  const looking = threads.reduce((sum, count) => sum + count, 0) * pace - work;
  return Math.min(looking, (messagesPerS * LOOK_US) / 1e6);
}

/**
 * How often the two sleep now, and which part of that stays: as much as there is time in which neither runs and no message is on
 * its way from one to the other, which is what a wake-up takes, or in which one of them waits for a CPU that others have. Others
 * cannot keep a CPU from them for longer than they run: what the two wait beyond that, they wait for each other.
 */
function sleepsNow({ ends, othersCores }: Waiting, { smallUs, wakeUpUs, smallRoundTripUs }: TransportCosts) {
  const sum = (of: (end: End) => number) => ends.reduce((all, end) => all + of(end), 0);
  const sleepsPerS = sum(({ switchesPerS = 0, partOfTraffic = 0 }) => switchesPerS * partOfTraffic);
  const busy = sum(({ cpuCores = 0 }) => cpuCores);
  const queued = sum(({ waiting = 0 }) => waiting);
  const underway = (sleepsPerS * Math.max(0, smallRoundTripUs / 2 - smallUs - wakeUpUs)) / 1e6;
  const byOthers = Math.min(queued, othersCores);
  return {
    sleepsPerS,
    still: Math.max(0, 1 - busy - underway - queued),
    behindOthers: Math.min(1, byOthers),
    onOneCpu: Math.min(1, queued - byOthers),
  };
}
