/** The middle one, or the mean of the two in the middle. NaN without values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** The smallest value that `share` (0 to 1) of all do not exceed (nearest rank). NaN without values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? Number.NaN;
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Four digits are more than any repetition agrees in, and keep documents readable. */
export const rounded = (value: number): number => Number(value.toPrecision(5));

export type Verdict = 'better' | 'worse' | 'same';

/**
 * Whether the second list of repetitions is another. Only when their spreads, from the smallest to the largest value, do not
 * touch: of two times five values of the same distribution that happens once in 126 times.
 */
export function verdictOf(from: readonly number[], to: readonly number[], better: 'lower' | 'higher'): Verdict {
  if (from.length === 0 || to.length === 0) return 'same';
  const higher = Math.min(...to) > Math.max(...from);
  const lower = Math.max(...to) < Math.min(...from);
  if (!higher && !lower) return 'same';
  return higher === (better === 'higher') ? 'better' : 'worse';
}

/** How many times better the second value is: 2 is twice as fast, whichever way the metric counts. */
export const timesBetter = (from: number, to: number, better: 'lower' | 'higher'): number =>
  better === 'higher' ? to / from : from / to;
