import type { Histogram } from '../model/views/scheduler.js';
import { count, microseconds } from './units.js';

/** A bucket of a histogram as it is drawn. */
export interface Bar {
  /** "4 µs to 8 µs" */
  range: string;
  count: number;
  bar: string;
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A bar of `share` times `columns`; what is more than nothing never looks like nothing. */
export function bar(share: number, columns: number, unicode: boolean): string {
  const filled = Math.max(0, Math.min(1, share)) * columns;
  if (!unicode) return '#'.repeat(share > 0 ? Math.max(1, Math.round(filled)) : 0);
  const eighths = share > 0 ? Math.max(1, Math.round(filled * 8)) : 0;
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}

/** One bar per bucket from the first to the last that holds something; the fullest is as long as there is room. */
export function bars(histogram: Histogram, columns: number, unicode: boolean): Bar[] {
  const { counts } = histogram;
  const first = counts.findIndex((n) => n > 0);
  if (first < 0) return [];
  const last = counts.findLastIndex((n) => n > 0);
  const fullest = Math.max(...counts);
  return counts.slice(first, last + 1).map((n, i) => ({
    range: rangeOf(first + i),
    count: n,
    bar: bar(n / fullest, columns, unicode),
  }));
}

const edge = (bucket: number) => microseconds(2 ** bucket) ?? '';

const rangeOf = (bucket: number) => (bucket === 0 ? `below ${edge(1)}` : `${edge(bucket)} to ${edge(bucket + 1)}`);

/** The upper edge (µs) of the bucket that holds the value at `quantile`, or the maximum where that is below it. */
export function upperEdge({ counts, total, maxUs }: Histogram, quantile: number): number | undefined {
  let rest = Math.ceil(total * quantile);
  const at = counts.findIndex((n) => {
    rest -= n;
    return rest <= 0;
  });
  if (total === 0 || at < 0) return undefined;
  return Math.min(2 ** (at + 1), maxUs ?? Number.POSITIVE_INFINITY);
}

/** "2.6k times, 281 µs on average, 99 % within 8.2 ms, 15.8 ms at most" */
export function histogramText(histogram: Histogram): string {
  const { total, sumUs, maxUs } = histogram;
  if (total === 0) return 'none';
  const mean = sumUs === undefined ? undefined : microseconds(sumUs / total);
  const most = microseconds(upperEdge(histogram, 0.99));
  return [
    `${count(total)} times`,
    ...(mean ? [`${mean} on average`] : []),
    ...(most ? [`99 % within ${most}`] : []),
    ...(maxUs === undefined ? [] : [`${microseconds(maxUs)} at most`]),
  ].join(', ');
}
