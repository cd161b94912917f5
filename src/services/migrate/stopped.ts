import type { Stopped } from '../../model/migrate.js';
import { percentile } from '../bench/statistics.js';

/** The distribution of the times, in milliseconds, for which threads were held; nothing where none was. */
export function stoppedOf(times: readonly number[]): Stopped | undefined {
  if (times.length === 0) return undefined;
  const [medianMs = 0, p90Ms = 0, p99Ms = 0, maxMs = 0] = [0.5, 0.9, 0.99, 1].map((share) => percentile(times, share));
  return { count: times.length, medianMs, p90Ms, p99Ms, maxMs };
}
