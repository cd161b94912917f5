import { describe, expect, test } from 'vitest';
import type { Calibration } from '../../../../src/model/advise.js';
import { messagesOf, type PairUse, predict } from '../../../../src/services/advise/predict.js';
import type { End } from '../../../../src/services/advise/readings.js';

const CALIBRATION: Calibration = {
  measuredAt: '2026-01-01T00:00:00.000Z',
  kernel: '6.18.0',
  bootId: 'b',
  version: '1',
  cpus: [0, 1],
  smallBytes: 64,
  largeBytes: 16_448,
  byKernel: { smallUs: 6, largeUs: 10, wakeUpUs: 5, smallRoundTripUs: 40, largeRoundTripUs: 60 },
  byMemory: { smallUs: 0.2, largeUs: 1, wakeUpUs: 0.2, smallRoundTripUs: 0.4, largeRoundTripUs: 2 },
};

const end = (parts: Partial<End> = {}): End => ({ pid: 1, comm: 'a', uid: 0, cpuCores: 1, partOfTraffic: 1, ...parts });
const flow = (segmentsPerS: number, bytes = 64) => ({ segmentsPerS, bytesPerS: segmentsPerS * bytes });
const sampled = { socketShare: 0.8, socketShareSamples: 200 };

const use = (ends: PairUse['ends'], segments = 10_000, bytes = 64, connections = 50): PairUse => ({
  ends,
  toServer: flow(segments, bytes),
  toClient: flow(segments, bytes),
  connections,
  othersCores: 0,
});

describe('where the CPU was sampled', () => {
  test('what the socket path took, less what the same messages cost by memory', () => {
    const prediction = predict(use([end(sampled), end(sampled)]), CALIBRATION);
    expect(prediction.source).toBe('sampled');
    expect(prediction.socketPathCores).toBeCloseTo(1.6);
    // 20,000 messages, half of a round trip each; both ends have as much to do, and none waits for the other.
    expect(prediction.memoryCores).toBeCloseTo(20_000 * 0.2e-6);
    expect(prediction.savedCores).toBeCloseTo(1.6 - 0.004);
    expect(prediction.timesLessCpu).toBeCloseTo(2 / 0.404);
    expect(prediction.roundTripUs).toEqual({ byKernel: 40, byMemory: 0.4 });
  });

  test('only the part of the traffic that goes to the other end', () => {
    const prediction = predict(use([end({ ...sampled, partOfTraffic: 0.25 }), end(sampled)]), CALIBRATION);
    expect(prediction.socketPathCores).toBeCloseTo(1);
  });

  test('larger messages cost more, by the slope between the sizes that were measured', () => {
    const prediction = predict(use([end(sampled), end(sampled)], 10_000, 64 + 8192), CALIBRATION);
    expect(prediction.memoryCores).toBeCloseTo(20_000 * 0.6e-6);
    expect(prediction.roundTripUs.byKernel).toBeCloseTo(50);
  });

  test('what is not about bytes stays with the kernel', () => {
    const registering = end({ ...sampled, socketUpkeepShare: 0.3 });
    const prediction = predict(use([registering, registering]), CALIBRATION);
    expect(prediction.socketPathCores).toBeCloseTo(1.6);
    expect(prediction.memoryCores).toBeCloseTo(0.6 + 0.004);
  });
});

describe('who waits for the other one looks at memory, which takes a CPU', () => {
  const slow = end({ ...sampled, socketShare: 0.5 });
  const quick = end(sampled);

  test('over many connections: who has less to do', () => {
    const { memoryCores, timesLessCpu } = predict(use([slow, quick]), CALIBRATION);
    expect(memoryCores).toBeCloseTo(0.004 + (0.5 - 0.2));
    expect(timesLessCpu).toBeCloseTo(2 / (2 * 0.502));
  });

  test('over one connection: both, in turns', () => {
    const { memoryCores } = predict(use([slow, quick], 10_000, 64, 1), CALIBRATION);
    expect(memoryCores).toBeCloseTo(0.004 + 0.704);
  });

  test('each thread of it, where there are several', () => {
    const threads = end({ ...sampled, cpuCores: 4, socketShare: 0.9 });
    expect(predict(use([slow, threads], 100_000), CALIBRATION).memoryCores).toBeCloseTo(0.04 + (5 * 0.52 - 0.94));
  });

  test('but for so long only as libsd looks', () => {
    const { memoryCores } = predict(use([slow, quick], 100), CALIBRATION);
    expect(memoryCores).toBeCloseTo(200 * 50e-6);
  });
});

describe('where it was not', () => {
  test('the costs of the messages and of the wake-ups', () => {
    const ends = [end({ switchesPerS: 1000 }), end()];
    const prediction = predict(use(ends), CALIBRATION);
    expect(prediction.source).toBe('estimated');
    expect(prediction.socketPathCores).toBeCloseTo(20_000 * 6e-6 + 1000 * 5e-6);
  });

  test('never more than the process spent in the kernel', () => {
    const busy = end({ cpuCores: 0.1, kernelShare: 0.5 });
    expect(predict(use([busy, busy], 100_000), CALIBRATION).socketPathCores).toBeCloseTo(0.1);
  });

  test('few samples say nothing', () => {
    const few = end({ socketShare: 1, socketShareSamples: 5 });
    expect(predict(use([few, end(sampled)]), CALIBRATION).source).toBe('estimated');
  });
});

test('who waits because nobody has anything to do sleeps as before, after looking in vain: that costs more', () => {
  const idle = end({ cpuCores: 0.005, kernelShare: 1, switchesPerS: 200 });
  const { savedCores, timesLessCpu, memoryCores, socketPathCores } = predict(use([idle, idle], 200), CALIBRATION);
  expect(memoryCores).toBeGreaterThan(400 * 50e-6);
  expect(savedCores).toBeCloseTo(socketPathCores - memoryCores);
  expect(timesLessCpu).toBeCloseTo(0.01 / (0.01 - savedCores));
  expect(timesLessCpu).toBeLessThan(1);
});

describe('who waits for a CPU', () => {
  const crowded = end({ ...sampled, cpuCores: 0.25, switchesPerS: 2000, waiting: 0.75 });
  const idler = end({ ...sampled, cpuCores: 0.1, switchesPerS: 2000, waiting: 0.75 });

  test('that others have: the other end sleeps as before, and does not look for long', () => {
    const { savedCores } = predict({ ...use([crowded, crowded]), othersCores: 1.5 }, CALIBRATION);
    expect(savedCores).toBeCloseTo(0.4 - 0.004 - 4000 * 7e-6);
  });

  test('that the other end has: they share it, and nobody looks', () => {
    expect(predict(use([crowded, crowded]), CALIBRATION).savedCores).toBeCloseTo(0.4 - 0.004);
    expect(predict(use([crowded, idler]), CALIBRATION).savedCores).toBeCloseTo(0.28 - 0.004);
  });
});

test('the time that a wake-up takes on its way is no time in which nobody has anything to do', () => {
  // 25,000 messages a second, each waited for: 0.75 of the time at work, and 10 µs of 40 under way.
  const waiting = end({ ...sampled, cpuCores: 0.375, switchesPerS: 12_500 });
  const { savedCores } = predict(use([waiting, waiting], 12_500), CALIBRATION);
  expect(savedCores).toBeCloseTo(0.6 - 0.005 - 25_000 * 0.025 * 55e-6, 1);
});

test('a pair that did nothing saves nothing', () => {
  const still = end({ cpuCores: 0, partOfTraffic: 0 });
  expect(predict(use([still, still], 0), CALIBRATION)).toMatchObject({ savedCores: 0, socketPathCores: 0 });
});

test('full segments are pieces of larger messages', () => {
  expect(messagesOf(flow(1000, 64), 1448)).toBe(1000);
  expect(messagesOf(flow(1000, 1448), 1448)).toBeCloseTo(1_448_000 / 65_536);
  expect(messagesOf(flow(100, 65_483), 65_483)).toBeCloseTo(99.9, 0);
  expect(messagesOf(flow(0, 0), 1448)).toBe(0);
});
