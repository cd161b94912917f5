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

/** Of the calibration: CPU of each end for a request by memory, and what its two messages by the kernel disturb. */
const EVENT_LOOP_US = 2 * 0.018 * 6;
const BY_MEMORY_US = 0.4 / 2 + EVENT_LOOP_US;
const DISTURBED_US = 2 * 0.035 * 6;

describe('where the CPU was sampled', () => {
  test('what the socket path took and what it disturbed, less what the same messages cost by memory', () => {
    const prediction = predict(use([end(sampled), end(sampled)]), CALIBRATION);
    expect(prediction.source).toBe('sampled');
    expect(prediction.socketPathCores).toBeCloseTo(1.6);
    // 10,000 requests; both ends have as much to do, and none waits for the other.
    expect(prediction.memoryCores).toBeCloseTo(20_000e-6 * BY_MEMORY_US, 5);
    expect(prediction.undisturbedCores).toBeCloseTo(20_000e-6 * DISTURBED_US, 5);
    expect(prediction.savedCores).toBeCloseTo(1.6 + 0.0084 - 0.00832, 5);
    expect(prediction.timesLessCpu).toBeCloseTo(2 / (0.4 - 0.0084 + 0.00832));
    expect(prediction.roundTripUs).toEqual({ byKernel: 40, byMemory: 0.4 });
  });

  test('a program that does little besides keeps a part of that', () => {
    const { undisturbedCores } = predict(use([end(sampled), end(sampled)], 1e6), CALIBRATION);
    expect(undisturbedCores).toBeCloseTo(2 * 0.2 * 0.55);
  });

  test('only the part of the traffic that goes to the other end', () => {
    const prediction = predict(use([end({ ...sampled, partOfTraffic: 0.25 }), end(sampled)]), CALIBRATION);
    expect(prediction.socketPathCores).toBeCloseTo(1);
  });

  test('larger messages cost more, by the slope between the sizes that were measured', () => {
    const prediction = predict(use([end(sampled), end(sampled)], 10_000, 64 + 8192), CALIBRATION);
    expect(prediction.memoryCores).toBeCloseTo(20_000e-6 * (1.2 / 2 + EVENT_LOOP_US), 5);
    expect(prediction.roundTripUs.byKernel).toBeCloseTo(50);
  });

  test('what is not about bytes stays with the kernel, and takes less there', () => {
    const registering = end({ ...sampled, socketUpkeepShare: 0.3 });
    const prediction = predict(use([registering, registering]), CALIBRATION);
    expect(prediction.socketPathCores).toBeCloseTo(1.6);
    expect(prediction.memoryCores).toBeCloseTo(0.75 * 0.6 + 0.00832, 5);
  });

  test('threads that touch no socket stay as they are, and nobody waits for them', () => {
    const server = end({ ...sampled, socketShare: 0.7, asideShare: 0.1 });
    const { timesLessCpu, memoryCores } = predict(use([end(sampled), server]), CALIBRATION);
    expect(memoryCores).toBeCloseTo(0.00832, 5);
    expect(timesLessCpu).toBeCloseTo(2 / (0.5 - 0.0084 + 0.00832));
  });
});

describe('who waits for the other one looks at memory, which takes a CPU', () => {
  const slow = end({ ...sampled, socketShare: 0.6 });
  const quick = end(sampled);
  const atWork = (own: number) => own + (BY_MEMORY_US - DISTURBED_US) * 0.01;

  test('over several connections: who has less to do', () => {
    const { memoryCores, timesLessCpu } = predict(use([slow, quick], 10_000, 64, 2), CALIBRATION);
    expect(memoryCores).toBeCloseTo(0.00832 + 0.2, 5);
    expect(timesLessCpu).toBeCloseTo(2 / (2 * atWork(0.4)));
  });

  test('over many: it sleeps while the other one goes through them, who wakes it and goes on by the kernel until it reads', () => {
    const { timesLessCpu } = predict(use([slow, quick]), CALIBRATION);
    const waking = 1.4 * 200 * (5 + 40) * 1e-6;
    expect(timesLessCpu).toBeCloseTo(2 / (2 * (atWork(0.4) + waking)));
  });

  test('over one connection: both, in turns, and a round trip is what they do', () => {
    const { memoryCores } = predict(use([slow, quick], 10_000, 64, 1), CALIBRATION);
    expect(memoryCores).toBeCloseTo(0.004 + 0.6 - 2 * DISTURBED_US * 0.01 + 0.004, 5);
  });

  test('each thread of it, where there are several', () => {
    const threads = end({ ...sampled, cpuCores: 4, socketShare: 0.9 });
    const { timesLessCpu } = predict(use([slow, threads], 100_000), CALIBRATION);
    const pace = 0.4 + 0.1 * (BY_MEMORY_US - DISTURBED_US) + 1.4 * 2000 * 45e-6;
    expect(timesLessCpu).toBeCloseTo(5 / (5 * pace));
  });

  test('but for so long only as libsd looks', () => {
    const { memoryCores } = predict(use([slow, quick], 100), CALIBRATION);
    expect(memoryCores).toBeCloseTo(200 * 50e-6 + 200e-6 * BY_MEMORY_US + 1.4 * 2 * 45e-6, 5);
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
  const prediction = predict(use([idle, idle], 200), CALIBRATION);
  const { savedCores, timesLessCpu, memoryCores, socketPathCores, undisturbedCores } = prediction;
  expect(memoryCores).toBeGreaterThan(400 * 50e-6);
  expect(savedCores).toBeCloseTo(socketPathCores + undisturbedCores - memoryCores);
  expect(timesLessCpu).toBeCloseTo(0.01 / (0.01 - savedCores));
  expect(timesLessCpu).toBeLessThan(1);
});

describe('who waits for a CPU', () => {
  const crowded = end({ ...sampled, cpuCores: 0.25, switchesPerS: 2000, waiting: 0.75 });
  const idler = end({ ...sampled, cpuCores: 0.1, switchesPerS: 2000, waiting: 0.75 });

  test('that others have: the other end sleeps as before, does not look for long, and is woken by the kernel', () => {
    const prediction = predict({ ...use([crowded, crowded]), othersCores: 1.5 }, CALIBRATION);
    const { savedCores, timesLessCpu = 0, timesLessCpuBetween: [least, most] = [0, 0] } = prediction;
    expect(savedCores).toBeCloseTo(0.4 + 0.0084 - 0.00832 - 0.4 * 4000 * 13e-6, 5);
    // It may be that they hardly sleep any more, or twice as often.
    expect(least).toBeLessThan(timesLessCpu / 1.2);
    expect(most).toBeGreaterThan(timesLessCpu * 1.2);
  });

  test('that others have, and more than a moment for each message: it sleeps for each', () => {
    const prediction = predict({ ...use([crowded, idler]), othersCores: 1.5 }, CALIBRATION);
    expect(prediction.savedCores).toBeCloseTo(0.28 + 0.0084 - 0.00832 - 1.6 * 4000 * 13e-6, 5);
  });

  test('that the other end has: they share it, and nobody looks', () => {
    expect(predict(use([crowded, crowded]), CALIBRATION).savedCores).toBeCloseTo(0.4 + 0.0084 - 0.00832, 5);
    const waking = 1.4 * 200 * (5 + 40) * 1e-6;
    expect(predict(use([crowded, idler]), CALIBRATION).savedCores).toBeCloseTo(0.28 + 0.0084 - 0.00832 - waking, 5);
  });
});

test('the time that a wake-up takes on its way is no time in which nobody has anything to do', () => {
  // 25,000 messages a second, each waited for: 0.75 of the time at work, and 9 µs of 40 under way.
  const waiting = end({ ...sampled, cpuCores: 0.375, switchesPerS: 12_500 });
  const { savedCores } = predict(use([waiting, waiting], 12_500), CALIBRATION);
  expect(savedCores).toBeCloseTo(0.6 + 0.0105 - 0.0104 - 25_000 * 0.025 * 61e-6, 5);
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
