import type { TransportCosts } from '../../model/advise.js';
import type { End } from './readings.js';
import type { Staying } from './staying.js';

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
  staying: Staying;
}

/**
 * What waiting costs by memory, in CPUs. As long as one of the two is at work the other one looks at memory, which takes its CPU
 * as work does; where both have one CPU it lets the other one run instead. Where nobody is at work, or who should be has to leave
 * the CPU to others, whoever waits looks in vain and sleeps as before.
 */
export function waitingCores(use: Waiting, byKernel: TransportCosts): number {
  const { sleepsPerS, still, behindOthers, onOneCpu } = sleepsNow(use, byKernel);
  // What finds its receiver asleep goes by the kernel.
  const { wakeUpUs, smallUs } = byKernel;
  const amongOthersUs = sleepsAmongOthers(use) * behindOthers * (LOOK_AMONG_OTHERS_US + wakeUpUs + smallUs);
  const sleepingCores = (sleepsPerS * (still * (LOOK_US + wakeUpUs + smallUs) + amongOthersUs)) / 1e6;
  const { looking, waking } = whileTheOtherWorks(use, byKernel);
  return sleepingCores + Math.max(0, 1 - still - behindOthers) * ((1 - onOneCpu) * looking + waking);
}

interface Work {
  threads: number[];
  /** CPU of both ends. */
  all: number;
  /** Of each thread that keeps a CPU busy, by ends. */
  each: number[];
}

function workOf({ ends, atWork }: Waiting): Work {
  const threads = ends.map(({ cpuCores = 0 }) => Math.max(1, Math.round(cpuCores)));
  const all = atWork.reduce((sum, cores) => sum + cores, 0);
  return { threads, all, each: atWork.map((cores, at) => cores / (threads[at] ?? 1)) };
}

/** For how many CPUs' worth of time an end waits while the other one works: in turns over one connection, else who has less to do. */
const idleCores = ({ connections }: Waiting, { each }: Work): number =>
  Math.max(...each) - (connections === 1 ? 0 : Math.min(...each));

function sleepsAmongOthers(use: Waiting): number {
  const { shortWaits, longWaits } = use.staying.sleepsAmongOthers;
  const looksUs = (use.messagesPerS / 2) * LOOK_AMONG_OTHERS_US;
  return idleCores(use, workOf(use)) * 1e6 > looksUs ? longWaits : shortWaits;
}

/**
 * How much the ends look while the other one works, and what waking them costs. Over one connection they take turns; over several
 * both are at it at once, and who has less to do waits for the other one.
 */
function whileTheOtherWorks(use: Waiting, byKernel: TransportCosts) {
  const work = workOf(use);
  const waking = use.connections === 1 ? 0 : wakingCores(use, work, byKernel);
  const pace = use.connections === 1 ? work.all : Math.max(0, ...work.each) + waking;
  const looking = work.threads.reduce((sum, count) => sum + count, 0) * pace - work.all - waking;
  return { looking: Math.min(looking, (use.messagesPerS * LOOK_US) / 1e6), waking };
}

/**
 * Event loops take turns through all connections. Who has less to do is through before the other one, and where that is for longer
 * than it looks it sleeps. Then who has more to do wakes it, and sends by the kernel until it has read something.
 */
function wakingCores(use: Waiting, work: Work, { wakeUpUs, smallRoundTripUs }: TransportCosts): number {
  const turnsPerS = use.messagesPerS / 2 / use.connections;
  if (idleCores(use, work) * 1e6 <= turnsPerS * LOOK_US) return 0;
  return (use.staying.wakingsPerTurn * turnsPerS * (wakeUpUs + smallRoundTripUs)) / 1e6;
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
