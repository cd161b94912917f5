import { expect } from 'vitest';
import type { Result } from '../../../../src/model/results.js';
import { nstat } from '../../../support/independent.js';
import { type Netns, poll } from '../../../support/live.js';

/** The number of one row of evidence, which must be there. */
export function evidence(result: Result | undefined, key: string, scope: 'window' | 'total' | 'now'): number {
  const row = result?.evidence.find((e) => e.key === key && e.scope === scope);
  expect(row, `evidence ${key} (${scope}) in ${JSON.stringify(result)}`).toBeDefined();
  return Number(row?.value);
}

/** A counter's total must lie between nstat before and nstat after, and its growth in the window within their difference. */
export function agrees(
  result: Result | undefined,
  counter: string,
  before: Record<string, number>,
  after: Record<string, number>,
): void {
  const [low, high] = [before[counter] ?? 0, after[counter] ?? 0];
  expect(evidence(result, counter, 'total')).toBeGreaterThanOrEqual(low);
  expect(evidence(result, counter, 'total')).toBeLessThanOrEqual(high);
  expect(evidence(result, counter, 'window')).toBeLessThanOrEqual(high - low);
}

/** Waits until a counter of the namespace has moved at least so far. */
export const counted = (ns: Netns, counter: string, atLeast = 1): Promise<boolean> =>
  poll(`${counter} >= ${atLeast}`, async () => ((await nstat(ns))[counter] ?? 0) >= atLeast);

/** A chain of nftables at a hook with one rule. */
export async function nftRule(ns: Netns, hook: 'input' | 'output' | 'prerouting', rule: string): Promise<void> {
  await ns.run('nft', 'add table inet sockdoc');
  await ns.run('nft', `add chain inet sockdoc ${hook} { type filter hook ${hook} priority 0; }`);
  await ns.run('nft', `add rule inet sockdoc ${hook} ${rule}`);
}
