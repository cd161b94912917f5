import type { Evidence } from '../../model/results.js';
import type { Snapshot } from '../../model/snapshot/index.js';
import { sysctlEvidence } from '../view.js';

/** A sysctl that is host-wide: the kernel shows it in the initial namespace only. */
export function hostSysctl(snapshot: Snapshot, key: string): number | undefined {
  const text = snapshot.netns.map((netns) => netns.sysctls[key]).find((value) => value !== undefined);
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

export function hostSysctlEvidence(snapshot: Snapshot, key: string): Evidence[] {
  const value = hostSysctl(snapshot, key);
  return value === undefined ? [] : [sysctlEvidence(key, String(value))];
}

/** Raises host-wide keys: remedy fields with the present values for the way back. Keys that were not shown are left out. */
export function raise(snapshot: Snapshot, wanted: Readonly<Record<string, (now: number) => number>>) {
  const changes = Object.entries(wanted).flatMap(([key, next]) => {
    const now = hostSysctl(snapshot, key);
    if (now === undefined) return [];
    const to = next(now);
    return to > now ? [{ key, from: String(now), to: String(to) }] : [];
  });
  return {
    commands: changes.map(({ key, to }) => `sysctl -w ${key}=${to}`),
    tunes: changes,
    ...(changes.length > 0 ? { undo: changes.map(({ key, from }) => `sysctl -w ${key}=${from}`).join('; ') } : {}),
  };
}
