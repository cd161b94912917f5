import { checks as catalogue } from '../../../checks/registry.js';
import type { Profile } from '../../../model/results.js';
import type { Snapshot } from '../../../model/snapshot/index.js';
import type { Plan } from '../../../model/tune/plan.js';
import type { Skipped } from '../../../model/tune/results.js';
import { readFreshSysctls } from '../../../probes/fresh-netns.js';
import { packageVersion } from '../../../support/version.js';
import { applyConfig } from '../../config/apply.js';
import { loadConfig } from '../../config/load.js';
import type { Config } from '../../config/types.js';
import { collect } from '../../diagnose/collect.js';
import { judge } from '../../diagnose/judge.js';
import { buildPlan, type Draft } from './build.js';
import { fromFindings, fromProfile, type PlanView, planView } from './candidates.js';
import type { Choice } from './choice.js';
import { fingerprintOf } from './fingerprint.js';
import { type Place, placeOf } from './place.js';

export interface PlanOptions {
  profile: Profile;
  windowMs: number;
  /** Another network namespace, by its name or a pid in it. */
  netns?: string;
  choice: Choice;
  signal: AbortSignal;
  /** For people: what was passed over. */
  warn(message: string): void;
}

/** A plan that may be applied here and now. */
export interface Prepared {
  plan: Plan;
  skipped: Skipped[];
  /** What the plan was made from: the measurement before the change. */
  view: PlanView;
  place: Place;
}

/** Reads the host, judges it as `check` does, and makes a plan of what the findings and the profile ask for. */
export async function makePlan(options: PlanOptions): Promise<Prepared> {
  const { config, warnings } = await loadConfig(undefined, catalogue);
  for (const warning of warnings) options.warn(warning);
  const place = await placeOf(options.netns);
  const [snapshot, fresh] = await Promise.all([takeOne(options), readFreshSysctls()]);
  const view = planView(snapshot);
  const { rows, skipped } = draftOf(view, options.profile, options.choice, fresh, config);
  const plan: Plan = {
    schemaVersion: 1,
    command: 'tune plan',
    version: packageVersion(),
    madeAt: snapshot.takenAt,
    profile: options.profile,
    host: await fingerprintOf(snapshot, place.identity),
    rows,
  };
  return { plan, skipped, view, place };
}

/** One window over the namespace that is to be tuned. */
export const takeOne = ({
  netns,
  windowMs,
  signal,
}: Pick<PlanOptions, 'netns' | 'windowMs' | 'signal'>): Promise<Snapshot> =>
  collect({ target: { pids: [], ...(netns === undefined ? {} : { netns }) }, windowMs, signal });

/** The pure half: from a snapshot to rows. `fresh` is what a new namespace shows. */
export function draftOf(
  view: PlanView,
  profile: Profile,
  choice: Choice,
  fresh: Readonly<Record<string, string>>,
  config: Config,
): Draft {
  const { snapshot } = view;
  const judged = judge(catalogue, snapshot, { profile, thresholds: config.thresholds });
  const findings = fromFindings(applyConfig(judged, config, snapshot.takenAt.slice(0, 10)));
  const wished = fromProfile(view, profile);
  const draft = buildPlan(view, [...findings, ...wished.candidates], fresh, choice);
  const planned = new Set(draft.rows.map(({ key }) => key));
  return { rows: draft.rows, skipped: [...draft.skipped, ...wished.skipped.filter(({ key }) => !planned.has(key))] };
}
