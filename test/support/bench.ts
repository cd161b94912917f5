import type { BenchDocument, BenchResult } from '../../src/model/bench.js';

/** A result of a round trip of 8 B on two CPUs, with what is given changed. */
export const benchResult = (parts: Partial<BenchResult> = {}): BenchResult => ({
  suite: 'rtt',
  case: '8 B',
  transport: 'kernel',
  bytes: 8,
  cpus: [0, 1],
  metric: 'round trip',
  unit: 'us',
  better: 'lower',
  p50: 50,
  p99: 80,
  mean: 52,
  repetitions: [48, 49, 50, 51, 52],
  lineTransferNs: [90, 95, 100, 105, 110],
  othersPercent: [0, 0, 0, 0, 0],
  disturbed: 0,
  ...parts,
});

export const shmResult = (parts: Partial<BenchResult> = {}): BenchResult =>
  benchResult({
    transport: 'shm',
    p50: 0.25,
    p99: 0.5,
    repetitions: [0.24, 0.25, 0.25, 0.26, 0.26],
    ringShare: [1, 1, 1, 1, 1],
    ...parts,
  });

/** A run as `bench run --out` keeps it. */
export const benchDocument = (parts: Partial<BenchDocument> = {}): BenchDocument => ({
  schemaVersion: 1,
  command: 'bench run',
  version: '1.2.3',
  takenAt: '2026-01-01T00:00:00.000Z',
  durationMs: 61_000,
  settings: {
    suites: ['rtt'],
    transports: ['kernel', 'shm'],
    quick: false,
    durationMs: 500,
    repetitions: 5,
    cpus: [0, 1],
    environment: {},
  },
  host: {
    hostname: 'web',
    kernel: '6.18.0',
    arch: 'x64',
    cpuModel: 'A Processor',
    cpus: 2,
    allowedCpus: [0, 1],
    virtual: true,
    governors: ['performance'],
    clocksource: 'tsc',
    mitigations: { spectre_v2: 'Mitigation; Retpolines' },
    loadAverage: [0.1, 0.2, 0.3],
    memoryBytes: 2 ** 33,
  },
  versions: { 'redis-server': '7.0.15' },
  results: [benchResult(), shmResult()],
  notMeasured: [],
  ...parts,
});
