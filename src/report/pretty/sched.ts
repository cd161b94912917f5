import type { CpuRow, Histogram, SchedulerDocument, ThreadRow } from '../../model/views/scheduler.js';
import { bars, histogramText, upperEdge } from '../bars.js';
import type { Cell, Column } from '../table.js';
import { count, microseconds, percent, perSecond } from '../units.js';
import { durationText } from '../values.js';
import { writeGaps } from './gaps.js';
import { type Ink, type Look, Paper } from './paper.js';

interface Options extends Look {
  verbose: boolean;
  /** Every row, also where a person would be shown the first. */
  all: boolean;
  interactive: boolean;
  /** Height of the terminal where one reading follows the other. */
  rows?: number;
}

/** More threads than these scroll away what matters. */
const MOST_THREADS = 20;
const WIDEST_BAR = 40;
/** Columns that the range and the count of a bar take. */
const BESIDE_BAR = 34;

export function prettySched(document: SchedulerDocument, options: Options): string {
  const paper = new Paper(options);
  writeHead(paper, document);
  const { runDelay, wakeupLatency, cpus } = document.scheduler;
  if (runDelay) writeHistogram(paper, 'Run-queue delay', runDelay, options);
  if (wakeupLatency) writeHistogram(paper, 'Wake-up latency', wakeupLatency, options);
  paper.blank();
  paper.table(CPUS, cpus);
  writeThreads(paper, document, options);
  writeGaps(paper, document.gaps, options);
  return paper.toString();
}

function writeHead(paper: Paper, { windowMs, scheduler }: SchedulerDocument): void {
  const { source, switchesPerS, runnable } = scheduler;
  const from =
    source === 'bpf' ? 'every wake-up, counted in the kernel (BPF)' : 'sums from /proc, without single wake-ups';
  paper.text(
    [
      windowMs > 0 ? `Scheduler over ${durationText(windowMs)}` : 'Scheduler, read once: no rates',
      from,
      ...(switchesPerS === undefined ? [] : [`${perSecond(switchesPerS)} context switches`]),
      ...(runnable === undefined ? [] : [`${runnable} runnable now`]),
    ].join(' · '),
    { ink: 'bold' },
  );
}

function writeHistogram(paper: Paper, title: string, histogram: Histogram, { columns, unicode }: Options): void {
  paper.blank();
  paper.text(`${title}: ${histogramText(histogram)}`);
  const room = Math.max(4, Math.min(WIDEST_BAR, (columns ?? WIDEST_BAR + BESIDE_BAR) - BESIDE_BAR));
  for (const { range, count: n, bar } of bars(histogram, room, unicode))
    paper.text(`${range.padStart(20)} ${(count(n) ?? '').padStart(7)}  ${bar}`.trimEnd(), { first: '  ' });
}

function writeThreads(paper: Paper, { scheduler, gaps }: SchedulerDocument, { all, interactive, rows }: Options): void {
  const { threads, threadsLeftOut } = scheduler;
  const room = rows === undefined ? MOST_THREADS : Math.max(3, rows - 12 - scheduler.cpus.length - gaps.length * 2);
  const shown = all || !interactive ? threads : threads.slice(0, room);
  paper.blank();
  if (shown.length === 0) paper.text('No thread ran.');
  else paper.table(THREADS, shown);
  const more = threads.length - shown.length;
  if (more > 0) paper.text(`and ${more} more threads (--all)`, { ink: 'dim' });
  if (threadsLeftOut > 0)
    paper.text(`${count(threadsLeftOut)} threads that slept, or beyond the limit, are not shown`, { ink: 'dim' });
}

/** A frame of video is 16 ms and a retransmission takes 200: what waits longer than these few is felt. */
const [LATE_US, VERY_LATE_US] = [1000, 10_000];

function delay(us: number | undefined): Cell {
  const text = microseconds(us);
  if (us === undefined || text === undefined) return undefined;
  const ink: Ink | undefined = us >= VERY_LATE_US ? 'red' : us >= LATE_US ? 'yellow' : undefined;
  return { text, ...(ink ? { ink } : {}) };
}

const CPUS: Column<CpuRow>[] = [
  { title: 'CPU', cell: ({ cpu }) => cpu, align: 'right', priority: 0 },
  { title: 'BUSY', cell: ({ busyShare }) => percent(busyShare), align: 'right', priority: 0 },
  { title: 'SOFTIRQ', cell: ({ softirqShare }) => percent(softirqShare), align: 'right', priority: 3 },
  { title: 'STEAL', cell: ({ stealShare }) => percent(stealShare), align: 'right', priority: 4 },
  { title: 'QUEUE', cell: ({ runQueueLength }) => runQueueLength?.toFixed(2), align: 'right', priority: 1 },
  { title: 'SWITCHES', cell: ({ switchesPerS }) => perSecond(switchesPerS), align: 'right', priority: 2 },
  { title: 'MOVED HERE', cell: ({ migrationsPerS }) => perSecond(migrationsPerS), align: 'right', priority: 5 },
  { title: 'MEAN DELAY', cell: ({ runDelay }) => delay(meanOf(runDelay)), align: 'right', priority: 1 },
  { title: 'P99 <', cell: ({ runDelay }) => runDelay && delay(upperEdge(runDelay, 0.99)), align: 'right', priority: 3 },
  { title: 'MAX', cell: ({ runDelay }) => delay(runDelay?.maxUs), align: 'right', priority: 2 },
];

const meanOf = (histogram: Histogram | undefined) =>
  histogram?.sumUs === undefined || histogram.total === 0 ? undefined : histogram.sumUs / histogram.total;

const THREADS: Column<ThreadRow>[] = [
  { title: 'PID', cell: ({ pid }) => pid, align: 'right', priority: 0 },
  { title: 'TID', cell: ({ tid, pid }) => (tid === pid ? undefined : tid), align: 'right', priority: 2 },
  { title: 'THREAD', cell: ({ comm }) => comm, priority: 0, min: 8 },
  { title: 'SOCKETS', cell: ({ servesSockets }) => (servesSockets ? 'yes' : undefined), priority: 1 },
  { title: 'S', cell: ({ state }) => state, priority: 5 },
  { title: 'CPU', cell: ({ cpu }) => cpu, align: 'right', priority: 4 },
  { title: 'USE', cell: ({ cpuShare }) => percent(cpuShare), align: 'right', priority: 1 },
  {
    title: 'WAITED',
    cell: ({ runDelayMsPerS }) => percent(runDelayMsPerS === undefined ? undefined : runDelayMsPerS / 1000),
    align: 'right',
    priority: 0,
  },
  { title: 'MEAN DELAY', cell: ({ meanDelayUs }) => delay(meanDelayUs), align: 'right', priority: 1 },
  { title: 'MAX', cell: ({ maxDelayUs }) => delay(maxDelayUs), align: 'right', priority: 2 },
  { title: 'SLEPT', cell: ({ voluntarySwitchesPerS: n }) => perSecond(n), align: 'right', priority: 4 },
  { title: 'PUSHED OFF', cell: ({ involuntarySwitchesPerS: n }) => perSecond(n), align: 'right', priority: 3 },
  { title: 'MOVED', cell: ({ migrationsPerS }) => perSecond(migrationsPerS), align: 'right', priority: 6 },
  { title: 'IN', cell: ({ call, waitChannel }) => call ?? waitChannel, priority: 6, min: 8, max: 24 },
];
