import type { Check } from '../../checks/check.js';
import { checks as catalogue } from '../../checks/registry.js';
import type { CheckDocument, FailOn, Profile, Result } from '../../model/results.js';
import type { Snapshot } from '../../model/snapshot/index.js';
import { EXIT, SockdocError } from '../../support/errors.js';
import { applyConfig, expiredSuppressions } from '../config/apply.js';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/types.js';
import { judge } from '../diagnose/judge.js';
import type { Target } from '../diagnose/options.js';
import { checkDocument } from './document.js';
import { selectChecks } from './select.js';
import { takeSnapshot, takeWorst } from './take.js';

export interface CheckOptions {
  target: Target;
  profile: Profile;
  only: readonly string[];
  skip: readonly string[];
  windowMs: number;
  /** Samples one window after the other for so long and reports the worst. */
  forMs?: number;
  /** A configuration file to use in place of those that are found. */
  config?: string;
  /** A saved snapshot to judge in place of this host. */
  snapshot?: string;
  save?: string;
  redact: boolean;
  showSuppressed: boolean;
  signal: AbortSignal;
  /** For people: what was passed over. */
  warn(message: string): void;
}

export interface CheckOutcome {
  document: CheckDocument;
  /** The snapshot could not be written; what was found is there all the same. */
  saveError?: SockdocError;
}

/** Reads this host (or a saved snapshot), judges it and lays the configuration over the findings. */
export async function runCheck(options: CheckOptions): Promise<CheckOutcome> {
  const chosen = selectChecks(catalogue, options);
  const { config, warnings } = await loadConfig(options.config, catalogue);
  for (const warning of warnings) options.warn(warning);
  const judged = (snapshot: Snapshot) => judgeWith(chosen, snapshot, config, options.profile);
  const file = options.save === undefined ? undefined : (await import('../snapshot/save.js')).openSave(options.save);
  try {
    const taken =
      options.forMs === undefined ? await takeSnapshot(options) : await takeWorst(options, options.forMs, judged);
    const snapshot = options.redact ? (await import('../snapshot/redact.js')).redact(taken.snapshot) : taken.snapshot;
    const saveError = attempt(() => file?.write(snapshot));
    const document = checkDocument({
      snapshot,
      results: judged(snapshot),
      profile: options.profile,
      showSuppressed: options.showSuppressed,
      priority: (id) => catalogue.find((check) => check.id === id)?.priority ?? 0,
      ...(taken.sampling ? { sampling: taken.sampling } : {}),
    });
    return { document, ...(saveError ? { saveError } : {}) };
  } finally {
    file?.close();
  }
}

function attempt(work: () => void): SockdocError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof SockdocError) return error;
    throw error;
  }
}

function judgeWith(chosen: readonly Check[], snapshot: Snapshot, config: Config, profile: Profile): Result[] {
  const day = snapshot.takenAt.slice(0, 10);
  const ids = new Set(chosen.map((check) => check.id));
  const results = judge(chosen, snapshot, { profile, thresholds: config.thresholds });
  return [...applyConfig(results, config, day), ...expiredSuppressions(config, day, ids)];
}

/** 1 when something is at or above the threshold. */
export function exitCodeOf({ summary }: CheckDocument, failOn: FailOn): number {
  const bad = failOn === 'never' ? 0 : failOn === 'fail' ? summary.fail : summary.fail + summary.warn;
  return bad > 0 ? EXIT.badNews : EXIT.ok;
}
