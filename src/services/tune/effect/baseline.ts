import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Baseline } from '../../../model/tune/effect.js';
import type { PlanRow } from '../../../model/tune/plan.js';
import type { Applied } from '../../../model/tune/results.js';
import { openAtomic } from '../../../support/atomic-file.js';
import { stateFolder } from '../../../support/state-folder.js';
import type { PlanView } from '../plan/candidates.js';
import { guarded } from '../state.js';
import { measure } from './measure.js';

const folder = (): string => join(stateFolder(), 'effects');
const pathOf = (id: string): string => join(folder(), `${id}.json`);

/** The symptoms behind what was written, as they were before it. */
export function baselineOf(
  view: PlanView,
  id: string,
  rows: readonly PlanRow[],
  applied: readonly Applied[],
): Baseline {
  const written = rows.filter(({ key }) => applied.some((one) => one.key === key));
  return {
    schemaVersion: 1,
    id,
    windowMs: view.snapshot.windowMs,
    rows: written.map(({ key, from, needs }) => ({
      key,
      from,
      needs,
      measurements: measure(view, key, from).map(({ inForce: _, ...measurement }) => measurement),
    })),
  };
}

export function saveBaseline(baseline: Baseline): void {
  const path = pathOf(baseline.id);
  guarded(path, () => {
    mkdirSync(folder(), { recursive: true, mode: 0o700 });
    openAtomic(path).commit(Buffer.from(`${JSON.stringify(baseline)}\n`));
  });
}

/** Undefined where nothing was measured before that change. */
export function loadBaseline(id: string): Baseline | undefined {
  try {
    return JSON.parse(readFileSync(pathOf(id), 'utf8')) as Baseline;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return guarded(pathOf(id), () => {
      throw error;
    });
  }
}
