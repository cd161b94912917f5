import type { Plan, PlanRow } from '../../model/tune/plan.js';
import type { Skipped } from '../../model/tune/results.js';
import { notPossible, usageError } from '../../support/errors.js';
import { nearest } from '../../support/nearest.js';
import { tunableOf, tunables } from '../../tunables/catalogue/index.js';
import { type PlanView, planView } from './plan/candidates.js';
import { isNamed } from './plan/choice.js';
import { differences, fingerprintOf } from './plan/fingerprint.js';
import { identityOf } from './plan/identity.js';
import { loadPlan } from './plan/load.js';
import { makePlan, type PlanOptions, takeOne } from './plan/make.js';
import { valueNow } from './plan/values.js';

/** A plan that may be applied here and now, with the measurement before it. */
export interface Prepared {
  plan: Plan;
  skipped: Skipped[];
  view: PlanView;
}

/** Makes a plan, or takes the saved one, which must have been made for this host as it is. */
export function prepare(options: PlanOptions, file: string | undefined): Promise<Prepared> {
  for (const pattern of [...options.choice.only, ...options.choice.skip]) requireKey(pattern);
  return file === undefined ? makePlan(options) : prepareSaved(options, file);
}

async function prepareSaved(options: PlanOptions, file: string): Promise<Prepared> {
  const plan = loadPlan(file);
  const view = planView(await takeOne(options));
  const now = await fingerprintOf(view.snapshot, identityOf(view));
  const differing = [...differences(plan.host, now, plan.rows), ...(await changedValues(view, plan.rows))];
  if (differing.length > 0)
    throw notPossible(`the plan ${file} was made for another state of things: ${differing.join('; ')}`, {
      next: 'Make a new one: sockdoc tune --save-plan FILE',
    });
  const { only, skip } = options.choice;
  const left = plan.rows.flatMap(({ key }): Skipped[] => {
    if (only.length > 0 && !only.some((pattern) => isNamed(pattern, key)))
      return [{ key, reason: 'not named by --only' }];
    return skip.some((pattern) => isNamed(pattern, key)) ? [{ key, reason: 'named by --skip' }] : [];
  });
  const out = new Set(left.map(({ key }) => key));
  return { plan: { ...plan, rows: plan.rows.filter(({ key }) => !out.has(key)) }, skipped: left, view };
}

/** Rows whose value is no longer the one that the plan begins with. */
async function changedValues(view: PlanView, rows: readonly PlanRow[]): Promise<string[]> {
  return rows.flatMap(({ key, from }) => {
    const now = valueNow(view, key);
    return now === undefined || now === from ? [] : [`${key} was ${from} and is ${now}`];
  });
}

/** A key that tune does not know is a slip of the fingers: say so before reading for a second. */
function requireKey(pattern: string): void {
  if (
    pattern.includes('*')
      ? tunables.some(({ key }) => isNamed(pattern, key) || isNamed(key, pattern))
      : tunableOf(pattern)
  )
    return;
  const like = nearest(
    pattern,
    tunables.map(({ key }) => key),
  );
  throw usageError(`tune has no setting "${pattern}"`, {
    next: `${like.length > 0 ? `Did you mean: ${like.join(', ')}?\n` : ''}Example: sockdoc tune --only net.core.somaxconn`,
  });
}
