import type { CheckDocument, Profile, Result, Summary } from '../../model/results.js';
import type { Snapshot } from '../../model/snapshot/index.js';
import { RESULT_SCHEMA_VERSION } from '../../model/words.js';
import { actionOf, type TuneOptions } from './action.js';

interface Parts {
  snapshot: Snapshot;
  /** All results, suppressed ones marked. */
  results: Result[];
  profile: Profile;
  showSuppressed: boolean;
  /** 0 to 100 by check id: what a failure of it costs the clients. */
  priority: (id: string) => number;
  sampling?: { forMs: number; windows: number };
}

/** The answer of `check`, the same for a live run and for a saved snapshot: its times are those of the snapshot. */
export function checkDocument(parts: Parts): CheckDocument {
  const { snapshot, results } = parts;
  const shown = results.filter((result) => !result.suppressed);
  return {
    schemaVersion: RESULT_SCHEMA_VERSION,
    command: 'check',
    version: snapshot.version,
    takenAt: snapshot.takenAt,
    durationMs: snapshot.durationMs,
    windowMs: snapshot.windowMs,
    host: hostSummary(snapshot),
    summary: summaryOf(results),
    action: actionOf(shown, parts.priority, tuneOptions(parts)),
    results: parts.showSuppressed ? results : shown,
    profile: parts.profile,
    ...(snapshot.selection.label === undefined ? {} : { selection: snapshot.selection.label }),
    redacted: snapshot.redacted,
    gaps: snapshot.gaps,
    ...(parts.sampling ? { sampling: parts.sampling } : {}),
  };
}

function tuneOptions({ snapshot, profile, sampling }: Parts): TuneOptions {
  if (sampling || snapshot.selection.label !== undefined) return undefined;
  return profile === 'general' ? [] : [`--profile ${profile}`];
}

function hostSummary({ host, netns }: Snapshot): CheckDocument['host'] {
  const current = netns.find((namespace) => namespace.current) ?? netns[0];
  return {
    hostname: host.hostname,
    kernel: host.kernel,
    arch: host.arch,
    cpus: host.cpus.length,
    memoryBytes: host.memoryBytes,
    container: host.container ?? null,
    netns: current?.name ?? current?.id ?? '',
  };
}

function summaryOf(results: readonly Result[]): Summary {
  const shown = results.filter((result) => !result.suppressed);
  const count = (status: Result['status']) => shown.filter((result) => result.status === status).length;
  const [skip, unknown] = [count('skip'), count('unknown')];
  return {
    pass: count('pass'),
    info: count('info'),
    warn: count('warn'),
    fail: count('fail'),
    skip,
    unknown,
    notApplicable: count('not-applicable'),
    suppressed: results.length - shown.length,
    complete: skip === 0 && unknown === 0,
  };
}
