import { expect } from 'vitest';
import type { Check } from '../../src/checks/check.js';
import type { Profile, Result } from '../../src/model/results.js';
import { judge } from '../../src/services/diagnose/judge.js';
import { isNamed } from '../../src/services/tune/plan/choice.js';
import { tunableOf } from '../../src/tunables/catalogue/index.js';
import { type SnapshotParts, snapshotOf } from './snapshot.js';

/** Judges one check over a made-up snapshot. */
export function judgeOne(check: Check, parts: SnapshotParts, profile: Profile = 'general'): Result[] {
  const results = judge([check], snapshotOf(parts), { profile, thresholds: {} });
  expectTunesOnPage(check, results);
  return results;
}

/** What tune can do about a finding is said on the check's page; a check of files may be about any key. */
function expectTunesOnPage({ id, page }: Check, results: readonly Result[]): void {
  if (id === 'sysctl-conflict') return;
  const asked = results.flatMap(({ remedy }) => remedy?.tunes.map(({ key }) => key) ?? []);
  for (const key of asked.filter((one) => tunableOf(one)))
    expect(
      page.tune?.keys.some((pattern) => isNamed(pattern, key)),
      `${key} on the page of ${id}`,
    ).toBe(true);
}
