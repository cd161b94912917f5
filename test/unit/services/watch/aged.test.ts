import { expect, test } from 'vitest';
import { Aged } from '../../../../src/services/watch/aged.js';

function counting(maxMs: number) {
  let reads = 0;
  return new Aged(maxMs, () => Promise.resolve(++reads));
}

test('what is young is not read again', async () => {
  const aged = counting(60_000);
  expect([await aged.get(), await aged.get()]).toEqual([1, 1]);
});

test('what is old, or known to have changed, is read again', async () => {
  const old = counting(0);
  expect([await old.get(), await old.get()]).toEqual([1, 2]);
  const changed = counting(60_000);
  await changed.get();
  changed.expire();
  expect(await changed.get()).toBe(2);
});

test('a reading that failed is tried again', async () => {
  let fails = true;
  const aged = new Aged(60_000, () => (fails ? Promise.reject(new Error('busy')) : Promise.resolve('read')));
  await expect(aged.get()).rejects.toThrow('busy');
  fails = false;
  expect(await aged.get()).toBe('read');
});
