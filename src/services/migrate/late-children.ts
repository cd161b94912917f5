import type { InjectedProcess } from '../../model/migrate.js';
import type { MigrateOptions } from './run.js';
import { targetsOf } from './targets.js';

/** How often children are looked for: a program may make some all the time. */
const MOST_GENERATIONS = 5;

/**
 * Attaches to these, or detaches, and where children are wanted also those that appeared meanwhile. A child that is made afterwards
 * has libsd, or has it not, as its parent; one that was made shortly before has not been listed.
 */
export async function withLateChildren(
  options: MigrateOptions,
  pids: readonly number[],
  signal: AbortSignal,
  inject: (pids: readonly number[]) => Promise<InjectedProcess[]>,
): Promise<InjectedProcess[]> {
  const injected = await inject(pids);
  if (!options.withChildren || options.dryRun) return injected;
  const known = new Set(pids);
  for (let round = 0; round < MOST_GENERATIONS && !signal.aborted; round++) {
    const fresh = (await targetsOf(options)).filter((pid) => !known.has(pid));
    if (fresh.length === 0) break;
    for (const pid of fresh) known.add(pid);
    // Nobody asked for one that has ended since.
    injected.push(...(await inject(fresh)).filter(({ code }) => code !== 'gone'));
  }
  return injected;
}
