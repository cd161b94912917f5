import { checks as catalogue } from '../../checks/registry.js';
import type { DiffDocument } from '../../model/diff.js';
import type { FailOn, Profile, Result } from '../../model/results.js';
import type { NetnsFacts, Snapshot } from '../../model/snapshot/index.js';
import { EXIT } from '../../support/errors.js';
import { packageVersion } from '../../support/version.js';
import { applyConfig } from '../config/apply.js';
import { loadConfig } from '../config/load.js';
import { judge, statusRank } from '../diagnose/judge.js';
import { loadSnapshot } from '../snapshot/load.js';
import { compareFindings } from './findings.js';
import { compareRates, hostRates, netRates } from './rates.js';
import { changes, hostSettings, inBoth, limitSettings, linkSettings } from './settings.js';

export interface DiffOptions {
  from: string;
  to: string;
  profile: Profile;
  config?: string;
  warn(message: string): void;
}

/** What changed between two saved snapshots: a good and a bad day, a good and a bad host, before and after a change. */
export async function diffSnapshots(options: DiffOptions): Promise<DiffDocument> {
  const [from, to] = [loadSnapshot(options.from), loadSnapshot(options.to)];
  const { config, warnings } = await loadConfig(options.config, catalogue);
  for (const warning of warnings) options.warn(warning);
  const judged = (snapshot: Snapshot): Result[] => {
    const results = judge(catalogue, snapshot, { profile: options.profile, thresholds: config.thresholds });
    return applyConfig(results, config, snapshot.takenAt.slice(0, 10)).filter((result) => !result.suppressed);
  };
  const pairs = namespacePairs(from, to);
  const limits = inBoth(limitSettings(from), limitSettings(to));
  return {
    schemaVersion: 1,
    command: 'diff',
    version: packageVersion(),
    from: sideOf(options.from, from),
    to: sideOf(options.to, to),
    findings: compareFindings(judged(from), judged(to)),
    host: changes(hostSettings(from), hostSettings(to)),
    sysctls: [
      ...changes(new Map(Object.entries(from.host.sysctls)), new Map(Object.entries(to.host.sysctls))),
      ...pairs.flatMap(([a, b, name]) =>
        changes(new Map(Object.entries(a.sysctls)), new Map(Object.entries(b.sysctls)), name),
      ),
    ],
    links: pairs.flatMap(([a, b, name]) => changes(linkSettings(a.links), linkSettings(b.links), name)),
    limits: changes(limits.from, limits.to),
    counters: [
      ...rates(hostRates(from), hostRates(to)),
      ...pairs.flatMap(([a, b, name]) => rates(netRates(from, a.id), netRates(to, b.id), name)),
    ],
  };
}

/** 1 when a finding at or above the threshold appeared, or one rose to it. */
export function diffExitCode({ findings }: DiffDocument, failOn: FailOn): number {
  if (failOn === 'never') return EXIT.ok;
  const least = statusRank(failOn);
  const worse = [
    ...findings.appeared,
    ...findings.changed.filter(({ from, to }) => statusRank(to.status) > statusRank(from.status)).map(({ to }) => to),
  ];
  return worse.some(({ status }) => statusRank(status) >= least) ? EXIT.badNews : EXIT.ok;
}

function sideOf(file: string, { host, version, takenAt, windowMs }: Snapshot): DiffDocument['from'] {
  return { file, hostname: host.hostname, kernel: host.kernel, version, takenAt, windowMs };
}

/** The same namespace on both sides: by name; the one that sockdoc ran in is the same whatever its number is. */
function namespacePairs(from: Snapshot, to: Snapshot): [NetnsFacts, NetnsFacts, string | undefined][] {
  const keyOf = (facts: NetnsFacts) => (facts.current ? '' : (facts.name ?? facts.id));
  const others = new Map(to.netns.map((facts) => [keyOf(facts), facts]));
  return from.netns.flatMap((facts) => {
    const other = others.get(keyOf(facts));
    return other ? [[facts, other, keyOf(facts) || undefined]] : [];
  });
}

function rates(from: Map<string, number> | undefined, to: Map<string, number> | undefined, netns?: string) {
  return from && to ? compareRates(from, to, netns) : [];
}
