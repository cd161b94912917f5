import {
  type AdviseDocument,
  type AdvisedPair,
  type Calibration,
  MOST_OTHERS_PERCENT,
  type Obstacle,
  type PairEnd,
} from '../../model/advise.js';
import type { Cell, Column } from '../table.js';
import { bytes, count, microseconds, percent } from '../units.js';
import { durationText } from '../values.js';
import { writeGaps } from './gaps.js';
import { type Ink, type Look, Paper } from './paper.js';

type Verdict = AdvisedPair['verdict'];

const VERDICTS: Readonly<Record<Verdict, { text: string; ink?: Ink }>> = {
  migrate: { text: 'migrate', ink: 'green' },
  blocked: { text: 'blocked', ink: 'yellow' },
  moved: { text: 'in memory' },
  'no-gain': { text: 'no gain', ink: 'dim' },
  leave: { text: 'leave', ink: 'dim' },
};

const named = ({ comm, pid }: Pick<PairEnd, 'comm' | 'pid'>) => `${comm} ${pid}`;
const cores = (value: number | undefined) => (value === undefined ? undefined : value.toFixed(value < 0.1 ? 3 : 2));

const COLUMNS: readonly Column<AdvisedPair>[] = [
  { title: 'SAVES', cell: ({ prediction }) => cores(prediction?.savedCores), align: 'right', priority: 0 },
  { title: 'TIMES', cell: ({ prediction }) => times(prediction?.timesLessCpu), align: 'right', priority: 1 },
  { title: 'BETWEEN', cell: between, align: 'right', priority: 2 },
  { title: 'CLIENT', cell: ({ client }) => named(client), priority: 0, min: 10 },
  { title: 'SERVER', cell: ({ server }) => named(server), priority: 0, min: 10 },
  { title: 'PORT', cell: ({ ports }) => ports.join(','), align: 'right', priority: 3, max: 12, min: 5 },
  { title: 'CONNS', cell: ({ connections }) => count(connections), align: 'right', priority: 4 },
  { title: 'MESSAGES/s', cell: ({ traffic }) => count(traffic?.messagesPerS), align: 'right', priority: 3 },
  { title: 'BYTES/s', cell: (row) => bytes(bytesOf(row)), align: 'right', priority: 6 },
  { title: 'CPU', cell: ({ client, server }) => both(client, server, 'cpuCores', cores), align: 'right', priority: 5 },
  {
    title: 'IN SOCKETS',
    cell: ({ client, server }) => both(client, server, 'socketShare', percent),
    align: 'right',
    priority: 5,
  },
  { title: 'ROUND TRIP', cell: roundTrip, priority: 7 },
  { title: 'VERDICT', cell: ({ verdict }) => VERDICTS[verdict], priority: 0 },
];

/** Who talks to whom, what shared memory would save, what stands in the way, and what that is reckoned from. */
export function prettyAdvise(document: AdviseDocument, options: Look & { verbose: boolean }): string {
  const paper = new Paper(options);
  const { pairs, seen } = document;
  paper.text(headline(document), { ink: 'bold' });
  if (pairs.length > 0) {
    paper.blank();
    paper.table(COLUMNS, pairs);
    if (pairs.length < seen) paper.text(`and ${seen - pairs.length} more`, { ink: 'dim' });
  }
  writeObstacles(paper, pairs);
  if (document.calibration) writeModel(paper, document.calibration, pairs);
  writeGaps(paper, document.gaps, options);
  return paper.toString();
}

function headline({ seen, windowMs, pids = [] }: AdviseDocument): string {
  const talk = seen === 1 ? '1 pair of processes talks' : `${seen} pairs of processes talk`;
  const of = pids.length === 0 ? '' : `, ${pids.length === 1 ? 'process' : 'processes'} ${pids.join(', ')} as an end`;
  return `${talk} over TCP on this host${of}, over ${durationText(windowMs)}`;
}

const bytesOf = ({ traffic }: AdvisedPair) =>
  traffic === undefined ? undefined : traffic.toServer.bytesPerS + traffic.toClient.bytesPerS;

const times = (value: number | undefined): Cell => (value === undefined ? undefined : `${digits(value)}x`);

const digits = (value: number) => (value < 9.95 ? value.toFixed(1) : String(Math.round(value)));

function between({ prediction }: AdvisedPair): Cell {
  const [least, most] = prediction?.timesLessCpuBetween ?? [];
  return least === undefined || most === undefined ? undefined : `${digits(least)}-${digits(most)}x`;
}

function both(
  client: PairEnd,
  server: PairEnd,
  key: 'cpuCores' | 'socketShare',
  text: (value: number | undefined) => string | undefined,
): Cell {
  const [a, b] = [text(client[key]), text(server[key])];
  if (a === undefined && b === undefined) return undefined;
  return client.pid === server.pid ? a : `${a ?? '?'}, ${b ?? '?'}`;
}

function roundTrip({ prediction }: AdvisedPair): Cell {
  if (!prediction) return undefined;
  const { byKernel, byMemory } = prediction.roundTripUs;
  return `${microseconds(byKernel)} -> ${byMemory < 9.95 ? byMemory.toFixed(1) : Math.round(byMemory)} µs`;
}

/** What stands in the way of those that would gain something. */
function writeObstacles(paper: Paper, pairs: readonly AdvisedPair[]): void {
  const told = new Set<string>();
  const wanted = pairs.filter(({ verdict }) => verdict === 'blocked' || verdict === 'migrate');
  for (const pair of wanted) {
    for (const obstacle of pair.obstacles) {
      const text = sentence(pair, obstacle);
      if (told.has(text)) continue;
      if (told.size === 0) paper.blank();
      told.add(text);
      paper.text(text, { first: '! ' });
    }
  }
}

function sentence({ client, server }: AdvisedPair, { pid, code, reason, next }: Obstacle): string {
  const whose =
    pid === undefined ? `${named(client)} and ${named(server)}` : named(pid === client.pid ? client : server);
  return `${whose} (${code}): ${reason}${next === undefined ? '' : `. ${next}`}`;
}

/** The figures that the prediction is made of, so that nobody must believe it. */
function writeModel(paper: Paper, calibration: Calibration, pairs: readonly AdvisedPair[]): void {
  const { byKernel, byMemory, smallBytes, largeBytes, measuredAt, cpus, othersPercent = 0 } = calibration;
  const us = (value: number) => `${value < 9.95 ? value.toFixed(2) : value.toFixed(1)} µs`;
  paper.blank();
  paper.text(
    `Measured on CPUs ${cpus.join(' and ')} at ${measuredAt}: CPU of sending and receiving ${smallBytes} B ${us(byKernel.smallUs)} by the kernel, ${us(byMemory.smallUs)} by memory; ${largeBytes} B ${us(byKernel.largeUs)}, ${us(byMemory.largeUs)}; a wake-up ${us(byKernel.wakeUpUs)}; round trip ${us(byKernel.smallRoundTripUs)}, ${us(byMemory.smallRoundTripUs)}.`,
    { ink: 'dim' },
  );
  if (othersPercent > MOST_OTHERS_PERCENT)
    paper.text(
      `Others took ${othersPercent} % of these CPUs meanwhile, which makes all of it dearer: --calibrate measures it anew.`,
    );
  const sources = new Set(pairs.flatMap(({ prediction }) => (prediction ? [prediction.source] : [])));
  if (sources.size === 0) return;
  const how = sources.has('sampled')
    ? 'SAVES is the CPU sampled in the socket path of both processes, and what that disturbs in the programs, by their share of this traffic, less what the same messages cost by memory'
    : 'SAVES is estimated from these costs alone, because the CPU could not be sampled';
  paper.text(
    `${how}; TIMES the CPU for the same traffic now by that after, or anything BETWEEN: pairs whose ranges overlap may gain the same.`,
    { ink: 'dim' },
  );
}
