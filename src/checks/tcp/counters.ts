import type { Finding } from '../check.js';
import { info, needsWindow, pass, unknown } from '../findings.js';
import type { NetView } from '../view.js';

export interface Growth {
  total: number;
  delta: number;
}

/** A counter's total and growth; findings instead where the kernel lacks it or there was one reading. */
export function growthOf(net: NetView, counter: string): Growth | Finding[] {
  const total = net.total(counter);
  if (total === undefined) return [unknown(`${counter} is not shown by this kernel or could not be read`)];
  const delta = net.delta(counter);
  if (delta === undefined) return [{ ...needsWindow(), evidence: net.evidence(counter) }];
  return { total, delta };
}

/** What the totals of a namespace count from. */
export const since = (net: NetView): string =>
  net.facts.initial === false ? 'since this network namespace was made' : 'since boot';

/** For a counter that did not move: a pass when it never did, else info with how often it did before. `what` is plural. */
export function still(net: NetView, total: number, what: string, ...counters: string[]): Finding[] {
  const evidence = counters.flatMap((counter) => net.evidence(counter));
  return total === 0
    ? [pass(`no ${what} ${since(net)}`, evidence)]
    : [info(`${total} ${what} ${since(net)}, none within the window`, evidence)];
}

/** Growth of several counters together; a counter that this kernel lacks counts nothing. */
export function growthOfAll<Name extends string>(
  net: NetView,
  counters: readonly Name[],
): Record<Name, Growth> | Finding[] {
  const known = counters.filter((counter) => net.total(counter) !== undefined);
  if (known.length === 0) return [unknown(`none of ${counters.join(', ')} could be read`)];
  if (net.first === undefined) return [{ ...needsWindow(), evidence: known.flatMap((c) => net.evidence(c)) }];
  return Object.fromEntries(
    counters.map((counter) => [counter, { total: net.total(counter) ?? 0, delta: net.delta(counter) ?? 0 }]),
  ) as Record<Name, Growth>;
}
