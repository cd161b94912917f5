import type { Histogram } from '../../model/views/scheduler.js';
import { microseconds } from '../../report/units.js';
import type { Style } from './spans.js';

const BLOCKS = '▁▂▃▄▅▆▇█';
const ASCII_BLOCKS = '_.:-=+*#';

/** The last values as a row of bars from 0 to the largest; a blank where nothing was read. */
export function sparkline(values: readonly (number | undefined)[], columns: number, { unicode }: Style): string {
  const shown = values.slice(-columns);
  const largest = Math.max(0, ...shown.map((value) => value ?? 0));
  const blocks = unicode ? BLOCKS : ASCII_BLOCKS;
  return shown.map((value) => (value === undefined ? ' ' : block(value, largest, blocks))).join('');
}

function block(value: number, largest: number, blocks: string): string {
  const step = largest === 0 ? 0 : Math.ceil((value / largest) * blocks.length) - 1;
  return blocks[Math.max(0, step)] ?? '';
}

/** A bar of a share from 0 to 1. */
export function bar(share: number, columns: number, { unicode }: Style): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * columns);
  return (unicode ? '█' : '#').repeat(full) + (unicode ? '░' : '.').repeat(columns - full);
}

/** Below what this share of all lies, from buckets of powers of two: an upper bound. */
export function quantile({ counts, total }: Histogram, share: number): string | undefined {
  if (total <= 0) return undefined;
  let sum = 0;
  for (const [bucket, count] of counts.entries()) {
    sum += count;
    if (sum >= total * share) return `<${microseconds(2 ** (bucket + 1))}`;
  }
  return undefined;
}

/** One bar per bucket, up to the last that holds anything. */
export function histogramLine({ counts }: Histogram, columns: number, style: Style): string {
  const last = counts.findLastIndex((count) => count > 0);
  const shown = counts.slice(0, Math.min(columns, last + 1)).map((count) => (count === 0 ? undefined : count));
  return sparkline(shown, columns, style).replaceAll(' ', style.unicode ? '·' : ' ');
}
