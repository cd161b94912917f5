import type { JudgeOptions } from '../../../checks/check.js';
import { type HostView, hostView, type NetView, netView } from '../../../checks/view.js';
import type { Evidence, Profile, Result, Status, Subject } from '../../../model/results.js';
import type { Snapshot } from '../../../model/snapshot/index.js';
import type { Skipped } from '../../../model/tune/results.js';
import { tunables } from '../../../tunables/catalogue/index.js';

/** Somebody's wish for a key: a finding's, or a profile's. */
export interface Candidate {
  key: string;
  to: string;
  /** As the finding read it. */
  from?: string;
  reason: string;
  evidence: Evidence[];
  status: Status;
  risk?: string;
  needs?: string;
  /** The check that asks. */
  finding?: string;
  subject?: Subject;
}

/** The namespace that a plan is for, as checks see it. */
export interface PlanView {
  snapshot: Snapshot;
  host: HostView;
  net: NetView;
}

/** A plan is made for one namespace: the first of the snapshot. */
export function planView(snapshot: Snapshot): PlanView {
  const host = hostView(snapshot);
  const id = snapshot.netns[0]?.id;
  if (id === undefined) throw new Error('a snapshot without a namespace');
  return { snapshot, host, net: netView(snapshot, id, host) };
}

/** What the findings ask for. Of a suppressed one nothing: somebody has accepted it. */
export function fromFindings(results: readonly Result[]): Candidate[] {
  return results.flatMap(({ id, status, summary, evidence, subject, remedy, suppressed }) =>
    suppressed || !remedy
      ? []
      : remedy.tunes.map(({ key, from, to }) => ({
          key,
          from,
          to,
          reason: summary,
          evidence,
          status,
          risk: remedy.risk,
          needs: remedy.needs,
          finding: id,
          ...(subject ? { subject } : {}),
        })),
  );
}

/** What a profile asks for beyond the findings, computed for this host; and what could not be computed. */
export function fromProfile(view: PlanView, profile: Profile): { candidates: Candidate[]; skipped: Skipped[] } {
  const options: JudgeOptions = {
    profile,
    threshold: () => {
      throw new Error('a setting has no thresholds');
    },
  };
  const all = tunables.flatMap((tunable) => tunable.suggest?.({ ...view, ...options }) ?? []);
  return {
    candidates: all.flatMap((suggestion) =>
      suggestion.to === undefined ? [] : [{ ...suggestion, to: suggestion.to, status: 'info' as const }],
    ),
    skipped: all.flatMap(({ key, reason, to }) => (to === undefined ? [{ key, reason }] : [])),
  };
}
