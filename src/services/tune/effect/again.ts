import type { Baseline, Effect, TuneEffectDocument } from '../../../model/tune/effect.js';
import { notPossible } from '../../../support/errors.js';
import { bootId } from '../boot.js';
import { chooseEntry, netnsOf } from '../choose.js';
import { type PlanView, planView } from '../plan/candidates.js';
import { takeOne } from '../plan/make.js';
import { verifyEntry } from '../verify.js';
import { loadBaseline } from './baseline.js';
import { compare } from './compare.js';
import { measure } from './measure.js';

/** What became of the symptoms. `settled`: what the rows need (a restart) has been done, says who asks again. */
export function effectsOf(baseline: Baseline, after: PlanView, settled: boolean): Effect[] {
  return baseline.rows.map(({ key, from, needs, measurements }) =>
    compare({
      key,
      needs,
      before: measurements,
      after: measure(after, key, from),
      windowMs: baseline.windowMs,
      settled,
    }),
  );
}

/** Measures the symptoms of a change again (the newest that is still there, unless named), over the same window. */
export async function measureAgain({
  id,
  signal,
}: {
  id?: string | undefined;
  signal: AbortSignal;
}): Promise<TuneEffectDocument> {
  const head = { schemaVersion: 1, command: 'tune effect' } as const;
  const entry = chooseEntry(id);
  if (!entry) return { ...head, id: null, effect: [] };
  const found = entry.header.id;
  if (entry.header.bootId !== bootId())
    throw notPossible(`${found} was written before the last restart: its counters began anew`, {
      next: 'What --persist keeps is measured by: sockdoc check',
    });
  const baseline = loadBaseline(found);
  if (!baseline)
    throw notPossible(`nothing was measured before ${found}`, {
      next: 'The change was made with --window 0, or its measurement is gone. See: sockdoc check',
    });
  const netns = await netnsOf(entry);
  const { windowMs } = baseline;
  const view = planView(await takeOne({ windowMs, signal, ...(netns === '' ? {} : { netns }) }));
  const { items } = await verifyEntry({ id: found });
  const effect = effectsOf(baseline, view, true).map((one): Effect => {
    const changed = items.find(({ key, ok }) => key === one.key && !ok);
    if (!changed) return one;
    return {
      ...one,
      verdict: 'cannot be told',
      reason: `it is ${changed.actual ?? 'not readable'} now, no longer ${changed.expected}`,
    };
  });
  return { ...head, id: found, effect };
}
