import type { Check } from '../../src/checks/check.js';
import type { Profile, Result } from '../../src/model/results.js';
import { judge } from '../../src/services/diagnose/judge.js';
import { type SnapshotParts, snapshotOf } from './snapshot.js';

/** Judges one check over a made-up snapshot. */
export function judgeOne(check: Check, parts: SnapshotParts, profile: Profile = 'general'): Result[] {
  return judge([check], snapshotOf(parts), { profile, thresholds: {} });
}
