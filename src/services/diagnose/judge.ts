import type { Check, Finding, HostContext, JudgeOptions } from '../../checks/check.js';
import { hostView, type NetView, netView } from '../../checks/view.js';
import type { Profile, Result, Status } from '../../model/results.js';
import type { Snapshot } from '../../model/snapshot/index.js';

/** Results per check that are shown one by one; the rest is put together in one with a count. */
const MAX_RESULTS_PER_CHECK = 20;

export interface JudgeSettings {
  profile: Profile;
  /** Overrides by check id and threshold name. */
  thresholds: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Runs checks over a snapshot. A check that throws is our bug: it becomes `unknown` and the others go on. */
export function judge(checks: readonly Check[], snapshot: Snapshot, settings: JudgeSettings): Result[] {
  // Made once: pairing thousands of threads for each of a hundred checks would cost more than the judging.
  const host = hostView(snapshot);
  const nets = snapshot.netns.map((namespace) => netView(snapshot, namespace.id, host));
  return checks.flatMap((check) => {
    const options: JudgeOptions = {
      profile: settings.profile,
      threshold: (name) => thresholdOf(check, name, settings),
    };
    const findings = attempt(check, () => runCheck(check, { ...options, snapshot, host }, nets));
    return bound(order(findings)).map(({ finding, count }) => toResult(check, finding, count));
  });
}

function thresholdOf(check: Check, name: string, settings: JudgeSettings): number {
  const declared = check.thresholds?.[name];
  if (!declared) throw new Error(`check ${check.id} has no threshold "${name}"`);
  return settings.thresholds[check.id]?.[name] ?? declared.default;
}

function runCheck(check: Check, context: HostContext, nets: NetView[]): Finding[] {
  if (check.scope === 'host') return check.judge(context);
  return nets.flatMap((net) => {
    const findings = check.judge({ ...context, net });
    if (net.facts.current && nets.length === 1) return findings;
    const netns = net.facts.name ?? net.facts.id;
    return findings.map((finding) => ({ ...finding, subject: { ...finding.subject, netns } }));
  });
}

function attempt(check: Check, run: () => Finding[]): Finding[] {
  try {
    return run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [
      {
        status: 'unknown',
        summary: `sockdoc failed to judge this (${message}); please report it with a snapshot (sockdoc check --save FILE --redact)`,
        evidence: [{ source: 'sockdoc', key: check.id, value: message, unit: '' }],
      },
    ];
  }
}

const RANK: Record<Status, number> = { fail: 6, warn: 5, unknown: 4, info: 3, skip: 2, pass: 1, 'not-applicable': 0 };

export const statusRank = (status: Status): number => RANK[status];

function order(findings: Finding[]): Finding[] {
  return findings.toSorted((a, b) => RANK[b.status] - RANK[a.status] || (b.weight ?? 0) - (a.weight ?? 0));
}

function bound(findings: Finding[]): { finding: Finding; count?: number }[] {
  if (findings.length <= MAX_RESULTS_PER_CHECK) return findings.map((finding) => ({ finding }));
  const shown = findings.slice(0, MAX_RESULTS_PER_CHECK - 1).map((finding) => ({ finding }));
  const rest = findings.slice(MAX_RESULTS_PER_CHECK - 1);
  const worst = rest[0] as Finding;
  return [
    ...shown,
    {
      finding: {
        status: worst.status,
        summary: `${rest.length} more like these; the next is: ${worst.summary}`,
        evidence: worst.evidence,
      },
      count: rest.length,
    },
  ];
}

function toResult(check: Check, finding: Finding, count: number | undefined): Result {
  const { page } = check;
  const bad = finding.status === 'fail' || finding.status === 'warn' || finding.status === 'info';
  const remedy = finding.remedy ?? (bad && finding.status !== 'info' ? { summary: page.remedy } : undefined);
  return {
    id: check.id,
    title: check.title,
    category: check.category,
    status: finding.status,
    summary: finding.summary,
    evidence: finding.evidence,
    ...(finding.subject && Object.keys(finding.subject).length > 0 ? { subject: finding.subject } : {}),
    why: finding.why ?? page.why,
    ...(remedy
      ? { remedy: { commands: [], tunes: [], risk: page.risk, undo: page.undo, needs: page.needs, ...remedy } }
      : {}),
    references: [...page.sources],
    ...(count !== undefined ? { count } : {}),
  };
}
