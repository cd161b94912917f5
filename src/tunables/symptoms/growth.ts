import type { NetView } from '../../checks/view.js';

/** What counters gained together within the window; undefined without a window, or when the kernel has none of them. */
export function growthOfCounters(net: NetView, counters: readonly string[]): number | undefined {
  const grown = counters.flatMap((counter) => net.delta(counter) ?? []);
  return grown.length === 0 ? undefined : grown.reduce((sum, delta) => sum + delta, 0);
}
