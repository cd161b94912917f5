import { sameValue } from '../../../checks/sysctl-winner.js';
import type { Evidence } from '../../../model/results.js';
import { settingOf } from '../../../model/tune/keys.js';
import type { PlanRow } from '../../../model/tune/plan.js';
import type { Skipped } from '../../../model/tune/results.js';
import { tunableOf } from '../../../tunables/catalogue/index.js';
import { defaultOf } from '../../../tunables/default.js';
import { bounded, isLess, problemOf, raised } from '../../../tunables/form.js';
import { ownerOf } from '../../../tunables/owner.js';
import type { Tunable } from '../../../tunables/tunable.js';
import { statusRank } from '../../diagnose/judge.js';
import type { Candidate, PlanView } from './candidates.js';
import { type Choice, chosen } from './choice.js';
import { valueNow } from './values.js';

export interface Draft {
  rows: PlanRow[];
  skipped: Skipped[];
}

/**
 * Makes rows of what was asked for: one for each key, with a value that lowers no limit and lies within the range; the
 * rest is skipped, with the reason. What is so already is neither.
 */
export function buildPlan(
  view: PlanView,
  candidates: readonly Candidate[],
  fresh: Readonly<Record<string, string>>,
  choice: Choice,
): Draft {
  const rows: PlanRow[] = [];
  const skipped: Skipped[] = [];
  for (const [key, group] of byKey(candidates)) {
    const answer = rowOf(view, key, group, fresh, choice);
    if (typeof answer === 'string') skipped.push({ key, reason: answer });
    else if (answer) rows.push(answer);
  }
  return { rows, skipped };
}

function byKey(candidates: readonly Candidate[]): Map<string, [Candidate, ...Candidate[]]> {
  const groups = new Map<string, [Candidate, ...Candidate[]]>();
  const worstFirst = candidates.toSorted((a, b) => statusRank(b.status) - statusRank(a.status));
  for (const candidate of worstFirst) {
    const group = groups.get(candidate.key);
    if (group) group.push(candidate);
    else groups.set(candidate.key, [candidate]);
  }
  return groups;
}

/** The row; a text that says why there is none; nothing where nothing is to be done. */
function rowOf(
  view: PlanView,
  key: string,
  group: readonly [Candidate, ...Candidate[]],
  fresh: Readonly<Record<string, string>>,
  choice: Choice,
): PlanRow | string | undefined {
  const [first] = group;
  const tunable = tunableOf(key);
  if (!tunable) return 'tune writes only settings whose range and risk it knows';
  const from = valueNow(view, key) ?? first.from;
  if (from === undefined || (from === '' && tunable.form.type !== 'ports')) return 'its value could not be read';
  const byDefault = defaultOf(tunable, key, view.host.facts, fresh);
  const to = target(tunable, from, group, byDefault);
  if (sameValue(from, to))
    return isLess(tunable.form, from, first.to) && tunable.raiseOnly ? `${first.to} would lower it` : undefined;
  const problem = problemOf(tunable.form, to);
  if (problem) return `its value would be out of range: ${problem}`;
  const refused = chosen({ key, tunable, to, from, group, initial: view.net.facts.initial === true }, choice);
  return refused ?? row(view, tunable, key, from, to, group, byDefault ?? null);
}

/** Limits are raised as far as the one who wants most wants; of anything else the gravest finding decides. */
function target(tunable: Tunable, from: string, group: readonly Candidate[], byDefault: string | undefined): string {
  if (!tunable.raiseOnly) return group[0]?.to ?? from;
  const wanted = raised(
    tunable.form,
    from,
    group.map(({ to }) => to),
    byDefault,
  );
  const within = bounded(tunable.form, wanted);
  return isLess(tunable.form, from, within) ? from : within;
}

function row(
  view: PlanView,
  tunable: Tunable,
  key: string,
  from: string,
  to: string,
  group: readonly [Candidate, ...Candidate[]],
  byDefault: string | null,
): PlanRow {
  const [first] = group;
  const setting = settingOf(key);
  const process = setting?.kind === 'limit' ? view.host.process(setting.pid) : undefined;
  return {
    key,
    kind: tunable.kind,
    from,
    to,
    default: byDefault,
    reason: reasonOf(group),
    evidence: evidenceOf(group),
    risk: first.risk ?? tunable.risk,
    owner: ownerOf({
      key,
      value: from,
      host: view.host.facts,
      initial: view.net.facts.initial === true,
      process,
    }),
    // Of a span the lower end goes down: what is larger in it is not what is more.
    raiseOnly: tunable.raiseOnly && tunable.form.type !== 'span',
    needs: first.needs ?? tunable.needs,
    scope: tunable.scope,
    ...(first.subject ? { subject: first.subject } : {}),
    ...(process ? { startTicks: process.startTicks } : {}),
    ...(first.finding === undefined ? {} : { finding: first.finding }),
  };
}

function reasonOf(group: readonly Candidate[]): string {
  const reasons = [...new Set(group.map(({ reason }) => reason))];
  const [first = '', ...others] = reasons;
  return others.length === 0
    ? first
    : `${first}; and ${others.length} more ${others.length === 1 ? 'reason' : 'reasons'} like it`;
}

/** Of the first three who ask; the same reading once. */
function evidenceOf(group: readonly Candidate[]): Evidence[] {
  const rows = group.slice(0, 3).flatMap(({ evidence }) => evidence);
  return [...new Map(rows.map((item) => [JSON.stringify(item), item])).values()];
}
