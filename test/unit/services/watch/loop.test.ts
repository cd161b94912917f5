import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { everyInterval, nextBeat } from '../../../../src/services/watch/loop.js';

test('the next beat is the first that is still to come', () => {
  expect(nextBeat(3, 0, 100)).toBe(1);
  expect(nextBeat(100, 1, 100)).toBe(2);
  expect(nextBeat(250, 1, 100)).toBe(3);
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.nat(1000), fc.integer({ min: 1, max: 10_000 }), (elapsed, beat, interval) => {
      const next = nextBeat(elapsed, beat, interval);
      expect(next).toBeGreaterThan(beat);
      expect(next === beat + 1 || next * interval >= elapsed).toBe(true);
      expect(next * interval - elapsed).toBeLessThanOrEqual(Math.max(interval, (beat + 1) * interval));
    }),
  );
});

test('turns never overlap, never come before their beat, and a slow one leaves beats out', async () => {
  const controller = new AbortController();
  const start = performance.now();
  const beats: number[] = [];
  let inside = 0;
  const loop = everyInterval({ intervalMs: 20, signal: controller.signal }, async (beat) => {
    expect(++inside).toBe(1);
    expect(performance.now() - start).toBeGreaterThanOrEqual(beat * 20);
    beats.push(beat);
    if (beats.length === 2) await sleep(70);
    inside--;
    if (beats.length === 4) controller.abort(new Error('enough'));
  });
  await expect(loop).rejects.toThrow('enough');
  expect(beats[0]).toBe(0);
  // The second turn began at its beat or later and took three and a half intervals.
  expect((beats[2] as number) - (beats[1] as number)).toBeGreaterThanOrEqual(4);
});

test('it ends in the middle of a pause, and with what a turn throws', async () => {
  const controller = new AbortController();
  const reason = new Error('interrupted');
  const loop = everyInterval({ intervalMs: 3_600_000, signal: controller.signal }, async () => {
    setImmediate(() => controller.abort(reason));
  });
  await expect(loop).rejects.toBe(reason);
  const failing = everyInterval({ intervalMs: 1, signal: new AbortController().signal }, async () => {
    throw new Error('unreadable');
  });
  await expect(failing).rejects.toThrow('unreadable');
});
