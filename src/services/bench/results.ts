import type { BenchResult, BenchTransport } from '../../model/bench.js';
import type { Case, Sample } from './cases.js';
import { mean, median, percentile, rounded } from './statistics.js';

/** One repetition and what surrounded it. */
export interface Repetition extends Sample {
  othersPercent: number;
  lineTransferNs?: number;
}

/** More than that, and a repetition counts as disturbed. */
const DISTURBED_PERCENT = 5;

/** The line of a table that repetitions come to. */
export function resultOf(one: Case, transport: BenchTransport, repetitions: readonly Repetition[]): BenchResult {
  const values = repetitions.map(({ value }) => value);
  const all = (pick: (repetition: Repetition) => number | undefined) => {
    const picked = repetitions.map(pick).filter((value) => value !== undefined);
    return picked.length > 0 ? picked.map(rounded) : undefined;
  };
  const p99s = all(({ p99 }) => p99);
  const means = all((repetition) => repetition.mean);
  const shares = all(({ carried }) => carried?.ringShare);
  const lines = all(({ lineTransferNs }) => lineTransferNs);
  const others = repetitions.map(({ othersPercent }) => Number(othersPercent.toFixed(1)));
  // One repetition on the kernel, and the figures are of two things.
  const not = transport === 'shm' ? repetitions.find(({ carried }) => !carried?.upgraded) : undefined;
  return {
    suite: one.suite,
    case: one.name,
    transport: not === undefined ? transport : 'libsd',
    ...(not === undefined ? {} : { reason: not.carried?.reason ?? 'none of its bytes went by the ring' }),
    bytes: one.bytes,
    cpus: [...one.cpus],
    metric: one.metric,
    unit: one.unit,
    better: one.better,
    p50: rounded(median(values)),
    p99: rounded(p99s ? median(p99s) : percentile(values, 0.99)),
    mean: rounded(mean(means ?? values)),
    repetitions: values.map(rounded),
    ...(lines ? { lineTransferNs: lines } : {}),
    ...(shares ? { ringShare: shares } : {}),
    othersPercent: others,
    disturbed: others.filter((percent) => percent > DISTURBED_PERCENT).length,
  };
}
