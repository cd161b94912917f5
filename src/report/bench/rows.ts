import type { BenchResult } from '../../model/bench.js';
import { count, percent } from '../units.js';

/** The results of one case and placement, of each transport one. */
export interface BenchRow {
  suite: string;
  name: string;
  bytes: number;
  cpus: readonly number[];
  metric: string;
  unit: string;
  results: readonly BenchResult[];
}

/** Together what was measured in turns. */
export function benchRows(results: readonly BenchResult[]): BenchRow[] {
  const rows = new Map<string, BenchRow & { results: BenchResult[] }>();
  for (const result of results) {
    const { suite, case: name, bytes, cpus, metric, unit } = result;
    const key = JSON.stringify([suite, name, cpus]);
    const row = rows.get(key) ?? { suite, name, bytes, cpus, metric, unit, results: [] };
    row.results.push(result);
    rows.set(key, row);
  }
  return [...rows.values()];
}

/** "CPU 0, 1", "CPU 0 alone", "not pinned" */
export function placeText(cpus: readonly number[]): string {
  if (cpus.length === 0) return 'not pinned';
  const [first, second] = cpus;
  return first === second ? `CPU ${first} alone` : `CPU ${first}, ${second}`;
}

/** "0.25 µs", "1.2M/s" */
export function quantity(value: number, unit: string): string {
  if (unit === 'us')
    return `${value < 10 ? Number(value.toFixed(2)) : value < 100 ? Number(value.toFixed(1)) : Math.round(value)} µs`;
  return `${count(value)}/s`;
}

/** How many times better than the kernel: undefined for the kernel itself, and where it was not measured. */
export function timesKernel(row: BenchRow, result: BenchResult): number | undefined {
  const kernel = row.results.find(({ transport }) => transport === 'kernel');
  if (kernel === undefined || result === kernel || kernel.p50 === 0 || result.p50 === 0) return undefined;
  return result.better === 'higher' ? result.p50 / kernel.p50 : kernel.p50 / result.p50;
}

export const timesText = (times: number | undefined): string | undefined =>
  times === undefined ? undefined : `${times < 10 ? times.toFixed(2) : times.toFixed(1)} ×`;

/** From the lowest to the highest repetition, of the median. */
export function spread({ repetitions, p50 }: BenchResult): string | undefined {
  if (p50 === 0) return undefined;
  return percent((Math.max(...repetitions) - Math.min(...repetitions)) / p50);
}

/** Of all repetitions of a row. */
export function lineTransfer(row: BenchRow): number | undefined {
  const all = row.results.flatMap(({ lineTransferNs = [] }) => lineTransferNs).toSorted((a, b) => a - b);
  return all[all.length >> 1];
}

/** What a reader has to know before believing a result. */
export function remarks(result: BenchResult): string[] {
  const { transport, reason, disturbed, repetitions, ringShare = [] } = result;
  const share = ringShare.toSorted((a, b) => a - b)[ringShare.length >> 1] ?? 1;
  return [
    ...(transport === 'libsd' ? [`not by shared memory: ${reason}`] : []),
    ...(transport === 'shm' && share < 0.995 ? [`${percent(share)} by the ring`] : []),
    ...(disturbed > 0 ? [`others disturbed ${disturbed} of ${repetitions.length}`] : []),
  ];
}

/** What tables without a limit of width show. */
export const COLUMNS = [
  'case',
  'where',
  'transport',
  'median',
  'p99',
  'spread',
  '× kernel',
  'line',
  'remarks',
] as const;

export function benchCells(row: BenchRow, result: BenchResult): string[] {
  const line = lineTransfer(row);
  return [
    row.name,
    placeText(row.cpus),
    result.transport,
    quantity(result.p50, result.unit),
    result.unit === 'us' ? quantity(result.p99, result.unit) : '',
    spread(result) ?? '',
    timesText(timesKernel(row, result)) ?? '',
    line === undefined ? '' : `${Math.round(line)} ns`,
    remarks(result).join('; '),
  ];
}
