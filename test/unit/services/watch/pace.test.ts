import { expect, test } from 'vitest';
import { isStretched, nextDue } from '../../../../src/services/watch/pace.js';

const turn = (parts: Partial<Parameters<typeof nextDue>[0]> = {}) => ({
  dueMs: 5000,
  beganMs: 5000,
  tookMs: 10,
  isFirst: false,
  ...parts,
});

test('readings keep the beat of the interval, also when one begins a little late', () => {
  expect(nextDue(turn(), 1000)).toBe(6000);
  expect(nextDue(turn({ beganMs: 5030 }), 1000)).toBe(6000);
});

test('a reading that begins late has a whole interval behind it: no window is much shorter than asked for', () => {
  expect(nextDue(turn({ beganMs: 5900 }), 1000)).toBe(6900);
  expect(nextDue(turn({ beganMs: 9000 }), 1000)).toBe(10_000);
});

test('a slow reading stretches the interval, so that reading takes half of the time at most', () => {
  expect(nextDue(turn({ tookMs: 500 }), 1000)).toBe(6000);
  expect(nextDue(turn({ tookMs: 800 }), 1000)).toBe(6600);
  expect(isStretched(500, 1000)).toBe(false);
  expect(isStretched(800, 1000)).toBe(true);
});

test('rates come soon after the first frame', () => {
  expect(nextDue(turn({ isFirst: true }), 1000)).toBe(5250);
  expect(nextDue(turn({ isFirst: true }), 100)).toBe(5100);
  expect(nextDue(turn({ isFirst: true, tookMs: 400 }), 1000)).toBe(5800);
});
