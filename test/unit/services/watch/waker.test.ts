import { expect, test } from 'vitest';
import { Waker } from '../../../../src/services/watch/waker.js';
import { leftBehind } from '../../../support/heap.js';

const LONG_MS = 1e9;
const { signal } = new AbortController();

test('a pause ends after its time, and at once when it is woken or aborted', async () => {
  const waker = new Waker();
  const began = performance.now();
  await waker.pause(30, signal);
  expect(performance.now() - began).toBeGreaterThan(28);
  const woken = waker.pause(LONG_MS, signal);
  waker.wake();
  await woken;
  const controller = new AbortController();
  waker.sleep();
  const aborted = waker.pause(LONG_MS, controller.signal);
  controller.abort();
  await aborted;
});

test('it stays awake until it is told to sleep, and aborted for good', async () => {
  const waker = new Waker();
  waker.wake();
  expect(waker.isAwake).toBe(true);
  await waker.pause(LONG_MS, signal);
  await waker.pause(LONG_MS, signal);
  waker.sleep();
  expect(waker.isAwake).toBe(false);
  await waker.pause(LONG_MS, AbortSignal.abort());
});

test('pauses leave nothing behind with a signal that lives on', async () => {
  const waker = new Waker();
  const turn = () => {
    waker.sleep();
    const pause = waker.pause(LONG_MS, signal);
    waker.wake();
    return pause;
  };
  expect(await leftBehind(2000, turn)).toBeLessThan(20);
});
