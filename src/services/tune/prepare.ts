import { readSettings } from '../../control/settings/read.js';
import type { PlanRow } from '../../model/tune/plan.js';
import type { Skipped } from '../../model/tune/results.js';
import { notPossible, usageError } from '../../support/errors.js';
import { nearest } from '../../support/nearest.js';
import { tunableOf, tunables } from '../../tunables/catalogue/index.js';
import { unsettled } from './choose.js';
import { planView } from './plan/candidates.js';
import { isNamed } from './plan/choice.js';
import { differences, fingerprintOf } from './plan/fingerprint.js';
import { loadPlan } from './plan/load.js';
import { makePlan, type PlanOptions, type Prepared, takeOne } from './plan/make.js';
import { placeOf } from './plan/place.js';
import { sameSetting } from './values.js';

/** Makes a plan, or takes the saved one, which must have been made for this host as it is. */
export async function prepare(options: PlanOptions, file: string | undefined): Promise<Prepared> {
  for (const pattern of [...options.choice.only, ...options.choice.skip]) requireKey(pattern);
  const prepared = await (file === undefined ? makePlan(options) : prepareSaved(options, file));
  const open = unsettled(prepared.place.identity);
  if (open) options.warn(`${open.message}: ${open.next}`);
  return prepared;
}

async function prepareSaved(options: PlanOptions, file: string): Promise<Prepared> {
  const plan = loadPlan(file);
  const place = await placeOf(options.netns);
  const view = planView(await takeOne(options));
  const now = await fingerprintOf(view.snapshot, place.identity);
  const differing = [...differences(plan.host, now, plan.rows), ...(await changedValues(place.path, plan.rows))];
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
  return { plan: { ...plan, rows: plan.rows.filter(({ key }) => !out.has(key)) }, skipped: left, view, place };
}

/** Rows whose value is no longer the one that the plan begins with. */
async function changedValues(netns: string, rows: readonly PlanRow[]): Promise<string[]> {
  const readings = await readSettings(
    rows.map(({ key }) => key),
    netns,
  );
  return rows.flatMap(({ key, from }) => {
    const reading = readings.get(key);
    if (!reading || 'errno' in reading) return [`${key} cannot be read any more`];
    return sameSetting(key, reading.value, from) ? [] : [`${key} was ${from} and is ${reading.value}`];
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
  throw usageError(`there is no setting "${pattern}" that could be changed`, {
    next: `${like.length > 0 ? `Did you mean: ${like.join(', ')}?\n` : ''}Example: sockdoc tune --only net.core.somaxconn`,
  });
}
