import { expect, test } from 'vitest';
import type { Histogram } from '../../../src/model/views/scheduler.js';
import { bar, bars, histogramText, upperEdge } from '../../../src/report/bars.js';

const histogram = (counts: number[], more: Partial<Histogram> = {}): Histogram => ({
  unit: 'us',
  counts,
  total: counts.reduce((sum, n) => sum + n, 0),
  ...more,
});

test('a bar is as long as its share, and something is never nothing', () => {
  expect(bar(1, 8, true)).toBe('████████');
  expect(bar(0.5, 3, true)).toBe('█▌');
  expect(bar(0.0001, 8, true)).toBe('▏');
  expect(bar(0, 8, true)).toBe('');
  expect(bar(0.5, 8, false)).toBe('####');
  expect(bar(0.0001, 8, false)).toBe('#');
  expect(bar(0, 8, false)).toBe('');
});

test('bars go from the first to the last bucket that holds something', () => {
  expect(bars(histogram([0, 0, 4, 0, 2, 0]), 4, false)).toEqual([
    { range: '4 µs to 8 µs', count: 4, bar: '####' },
    { range: '8 µs to 16 µs', count: 0, bar: '' },
    { range: '16 µs to 32 µs', count: 2, bar: '##' },
  ]);
  expect(bars(histogram([1]), 4, false)).toEqual([{ range: 'below 2 µs', count: 1, bar: '####' }]);
  expect(bars(histogram([]), 4, false)).toEqual([]);
});

test('a quantile is the upper edge of its bucket, never above the maximum', () => {
  const most = histogram([0, 98, 1, 1]);
  expect(upperEdge(most, 0.5)).toBe(4);
  expect(upperEdge(most, 0.99)).toBe(8);
  expect(upperEdge(most, 1)).toBe(16);
  expect(upperEdge({ ...most, maxUs: 9 }, 1)).toBe(9);
  expect(upperEdge(histogram([]), 0.99)).toBeUndefined();
});

test('a histogram in one line', () => {
  expect(histogramText(histogram([0, 3, 1], { sumUs: 18, maxUs: 7 }))).toBe(
    '4 times, 5 µs on average, 99 % within 7 µs, 7 µs at most',
  );
  expect(histogramText(histogram([]))).toBe('none');
});
