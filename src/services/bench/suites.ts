import { usageError } from '../../support/errors.js';
import { nearest } from '../../support/nearest.js';
import { apps } from './apps/suite.js';
import type { Suite } from './cases.js';
import { connections, rtt, throughput } from './messages.js';
import { overhead } from './overhead.js';

export const SUITES: readonly Suite[] = [rtt, throughput, connections, apps, overhead];

/** The suites of these names, in the order of the catalogue. */
export function suitesOf(names: readonly string[]): Suite[] {
  const known = SUITES.map(({ id }) => id);
  for (const name of names) {
    if (known.includes(name)) continue;
    const like = nearest(name, known);
    throw usageError(`there is no suite "${name}"`, {
      next: `${like.length > 0 ? `Did you mean: ${like.join(', ')}?\n` : ''}There are: ${known.join(', ')}.\nExample: sockdoc bench run rtt --quick`,
    });
  }
  return SUITES.filter(({ id }) => names.includes(id));
}
