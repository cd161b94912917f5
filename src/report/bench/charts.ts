import type { BenchDocument } from '../../model/bench.js';
import { type BenchRow, benchRows, placeText, quantity } from './rows.js';

interface Point {
  /** 0 to 1 from left to right. */
  at: number;
  value: number;
  /** Of the repetitions. */
  least: number;
  most: number;
}

/** One picture: a suite on one placement, a line for each transport. */
export interface Chart {
  title: string;
  ticks: readonly string[];
  /** Where the ticks are, 0 to 1. */
  positions: readonly number[];
  /** Grid lines, the lowest first: all points lie between the first and the last. */
  values: readonly number[];
  axis: (value: number) => string;
  series: readonly { name: string; points: readonly Point[] }[];
}

const TITLES: Readonly<Record<string, string>> = {
  rtt: 'Round trip by message size',
  throughput: 'Messages one way by size',
};

/** Of every suite and placement that has more than one case. */
export function chartsOf({ results }: BenchDocument): Chart[] {
  const groups = new Map<string, BenchRow[]>();
  for (const row of benchRows(results)) {
    const key = JSON.stringify([row.suite, row.cpus]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].filter((rows) => rows.length > 1).map(chartOf);
}

function chartOf(rows: readonly BenchRow[]): Chart {
  const [{ suite, cpus, unit, metric }] = rows as [BenchRow];
  // By size where sizes differ, else side by side.
  const bySize = new Set(rows.map(({ bytes }) => bytes)).size === rows.length;
  const places = bySize ? bySizes(rows.map(({ bytes }) => bytes)) : rows.map((_, i) => (i + 0.5) / rows.length);
  const names = [...new Set(rows.flatMap((row) => row.results.map(({ transport }) => transport)))];
  const series = names.map((name) => ({
    name,
    points: rows.flatMap((row, i) => {
      const result = row.results.find(({ transport }) => transport === name);
      if (result === undefined || !(Math.min(...result.repetitions, result.p50) > 0)) return [];
      const { p50, repetitions } = result;
      return [{ at: places[i] ?? 0, value: p50, least: Math.min(...repetitions), most: Math.max(...repetitions) }];
    }),
  }));
  return {
    title: `${TITLES[suite] ?? `${suite}: ${metric}`}, ${placeText(cpus)}`,
    ticks: rows.map(({ name }) => (bySize ? name : shortName(name))),
    positions: places,
    values: decades(series.flatMap(({ points }) => points.flatMap(({ least, most }) => [least, most]))),
    axis: (value) => quantity(value, unit),
    series,
  };
}

function bySizes(sizes: readonly number[]): number[] {
  const logs = sizes.map((bytes) => Math.log(bytes));
  const [least, most] = [Math.min(...logs), Math.max(...logs)];
  return logs.map((log) => 0.02 + (0.96 * (log - least)) / (most - least || 1));
}

const shortName = (name: string) =>
  name
    .replace(/^redis /, '')
    .replace(' clients', ' cl.')
    .replace('pipelines of', '×');

/** Powers of ten around the values. */
function decades(values: readonly number[]): number[] {
  if (values.length === 0) return [1, 10];
  const from = Math.floor(Math.log10(Math.min(...values)));
  const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
}
