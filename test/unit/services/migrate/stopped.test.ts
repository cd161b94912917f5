import { expect, test } from 'vitest';
import { stoppedOf } from '../../../../src/services/migrate/stopped.js';

test('of no stop nothing is said', () => {
  expect(stoppedOf([])).toBeUndefined();
});

test('each figure is one of the times, which so many do not exceed', () => {
  expect(stoppedOf([3])).toEqual({ count: 1, medianMs: 3, p90Ms: 3, p99Ms: 3, maxMs: 3 });
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(stoppedOf(hundred)).toEqual({ count: 100, medianMs: 50, p90Ms: 90, p99Ms: 99, maxMs: 100 });
});
