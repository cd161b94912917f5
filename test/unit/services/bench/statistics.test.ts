import { describe, expect, test } from 'vitest';
import { mean, median, percentile, timesBetter, verdictOf } from '../../../../src/services/bench/statistics.js';

test('the median of an odd and an even number of values, in any order', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test('a percentile is a value that was measured', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(percentile(values, 0.99)).toBe(99);
  expect(percentile(values, 0.5)).toBe(50);
  expect(percentile([5, 7], 0.99)).toBe(7);
  expect(percentile([5, 7], 0)).toBe(5);
});

test('the mean', () => {
  expect(mean([1, 2, 6])).toBe(3);
});

describe('two lists of repetitions', () => {
  test.each([
    { from: [10, 11, 12], to: [7, 8, 9], better: 'lower', verdict: 'better' },
    { from: [10, 11, 12], to: [7, 8, 9], better: 'higher', verdict: 'worse' },
    { from: [10, 11, 12], to: [13, 14], better: 'higher', verdict: 'better' },
    { from: [10, 11, 12], to: [12, 13], better: 'higher', verdict: 'same' },
    { from: [10, 11, 12], to: [1, 100], better: 'lower', verdict: 'same' },
    { from: [], to: [1], better: 'lower', verdict: 'same' },
  ] as const)('$from then $to, $better is better: $verdict', ({ from, to, better, verdict }) => {
    expect(verdictOf(from, to, better)).toBe(verdict);
  });
});

test('how many times better counts up for both kinds of metrics', () => {
  expect(timesBetter(10, 5, 'lower')).toBe(2);
  expect(timesBetter(10, 5, 'higher')).toBe(0.5);
});
