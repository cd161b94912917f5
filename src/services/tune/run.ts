import type { TuneDocument } from '../../model/tune/results.js';
import { type ApplyOptions, applyPlan } from './apply.js';
import { effectsOf } from './effect/again.js';
import { baselineOf, saveBaseline } from './effect/baseline.js';
import { planView } from './plan/candidates.js';
import { type Prepared, takeOne } from './plan/make.js';

export type { Prepared } from './plan/make.js';

/** The answer of a run that writes nothing. */
export function unwritten({ plan, skipped }: Prepared): TuneDocument {
  const { schemaVersion, profile, rows } = plan;
  return { schemaVersion, command: 'tune', profile, plan: rows, applied: [], skipped, id: null };
}

/** Writes the plan; what was measured before is kept for the comparison, also for a later one. */
export async function write(prepared: Prepared, options: ApplyOptions): Promise<TuneDocument> {
  const { plan, view, place } = prepared;
  const change = await applyPlan(plan, { ...options, netns: place.path });
  if (change.id !== null && change.applied.length > 0 && view.snapshot.windowMs > 0)
    saveBaseline(baselineOf(view, change.id, plan.rows, change.applied));
  return { ...unwritten(prepared), ...change, skipped: [...prepared.skipped, ...change.skipped] };
}

/** Measures again, over a window of the same length. */
export async function withEffect(
  { view, place, plan }: Prepared,
  document: TuneDocument,
  signal: AbortSignal,
): Promise<TuneDocument> {
  const { windowMs } = view.snapshot;
  if (document.id === null || document.applied.length === 0 || windowMs === 0) return document;
  const after = await takeOne({ windowMs, signal, ...(place.path === '' ? {} : { netns: place.path }) });
  const baseline = baselineOf(view, document.id, plan.rows, document.applied);
  return { ...document, effect: effectsOf(baseline, planView(after), false) };
}
