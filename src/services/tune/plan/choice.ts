import type { Tunable } from '../../../tunables/tunable.js';
import type { Candidate } from './candidates.js';

/** What the person wants of a plan. */
export interface Choice {
  /** Keys, or patterns with "*"; empty: all. */
  only: readonly string[];
  skip: readonly string[];
  /** Also what belongs to the whole host, from within another namespace than the initial one. */
  host: boolean;
  /** Also limits of running processes. */
  limits: boolean;
}

interface Wish {
  key: string;
  tunable: Tunable;
  from: string;
  to: string;
  group: readonly Candidate[];
  /** Whether the plan is for the initial network namespace. */
  initial: boolean;
}

/** Why a row is left out of the plan; undefined when it is in. */
export function chosen({ key, tunable, from, to, group, initial }: Wish, choice: Choice): string | undefined {
  const named = choice.only.some((pattern) => isNamed(pattern, key));
  const change = `${from === '' ? 'nothing' : from} → ${to}`;
  if (choice.only.length > 0 && !named) return 'not named by --only';
  if (choice.skip.some((pattern) => isNamed(pattern, key))) return 'named by --skip';
  if (tunable.kind === 'limit' && !choice.limits)
    return `${change}: limits of running processes are changed only with --limits (${group[0]?.reason})`;
  if (tunable.kind !== 'limit' && tunable.scope === 'host' && !initial && !choice.host)
    return `${change}: it belongs to the whole host, and this is not the initial network namespace; --host includes it`;
  const opportunity = group.every(({ status, finding }) => status === 'info' && finding !== undefined);
  if (opportunity && !named)
    return `${change}: an opportunity, no trouble (${group[0]?.finding}: ${group[0]?.reason}); --only ${key} includes it`;
  return undefined;
}

export function isNamed(pattern: string, key: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(key);
}
