import type { Evidence } from '../../model/results.js';

/** A number of this reading as evidence. */
export const seen = (
  source: string,
  key: string,
  value: number | string,
  unit: string,
  scope: Evidence['scope'] = 'now',
): Evidence => ({
  source,
  key,
  value,
  unit,
  ...(scope ? { scope } : {}),
});
