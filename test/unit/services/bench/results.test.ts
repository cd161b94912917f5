import { describe, expect, test } from 'vitest';
import type { Case } from '../../../../src/services/bench/cases.js';
import { type Repetition, resultOf } from '../../../../src/services/bench/results.js';

const one: Case = {
  suite: 'rtt',
  name: '8 B',
  bytes: 8,
  cpus: [0, 1],
  metric: 'round trip',
  unit: 'us',
  better: 'lower',
  transports: ['kernel', 'shm'],
  rig: { key: 'pair', open: () => Promise.reject(new Error('not here')) },
  measure: () => Promise.reject(new Error('not here')),
};

const repetition = (parts: Partial<Repetition> = {}): Repetition => ({ value: 1, othersPercent: 0, ...parts });
const byRing = (share: number) => repetition({ carried: { upgraded: true, ringShare: share } });

test('all repetitions are kept, and their median is the result', () => {
  const list = [5, 1, 3].map((value) => repetition({ value, p99: value * 2, mean: value + 1, lineTransferNs: 100 }));
  expect(resultOf(one, 'kernel', list)).toMatchObject({
    transport: 'kernel',
    p50: 3,
    p99: 6,
    mean: 4,
    repetitions: [5, 1, 3],
    lineTransferNs: [100, 100, 100],
  });
});

test('of a rate, of which a repetition has one, the percentile is of the repetitions', () => {
  const list = [10, 30, 20].map((value) => repetition({ value }));
  expect(resultOf({ ...one, unit: '1/s', better: 'higher' }, 'kernel', list)).toMatchObject({
    p50: 20,
    p99: 30,
    mean: 20,
  });
});

describe('shared memory', () => {
  test('is what was upgraded in every repetition', () => {
    const result = resultOf(one, 'shm', [byRing(1), byRing(0.3), byRing(0.9)]);
    expect(result).toMatchObject({ transport: 'shm', ringShare: [1, 0.3, 0.9] });
    expect(result).not.toHaveProperty('reason');
  });

  test('is no result of shared memory when a repetition stayed on the kernel, and says why', () => {
    const kept = repetition({ carried: { upgraded: false, ringShare: 0, reason: 'the policy denies it' } });
    expect(resultOf(one, 'shm', [byRing(1), kept])).toMatchObject({
      transport: 'libsd',
      reason: 'the policy denies it',
    });
    expect(resultOf(one, 'shm', [repetition()])).toMatchObject({
      transport: 'libsd',
      reason: 'none of its bytes went by the ring',
    });
  });
});

test('repetitions in which others took more than 5 % of the CPUs are counted', () => {
  const list = [0, 4.9, 5.1, 80].map((othersPercent) => repetition({ othersPercent }));
  expect(resultOf(one, 'kernel', list)).toMatchObject({ othersPercent: [0, 4.9, 5.1, 80], disturbed: 2 });
});
