import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../../../../src/model/snapshot/index.js';
import type { PlanRow } from '../../../../src/model/tune/plan.js';
import { PROFILES, type Profile } from '../../../../src/model/words.js';
import { emptyConfig } from '../../../../src/services/config/types.js';
import { buildPlan } from '../../../../src/services/tune/plan/build.js';
import { type Candidate, planView } from '../../../../src/services/tune/plan/candidates.js';
import { draftOf } from '../../../../src/services/tune/plan/make.js';
import { tunableOf, tunables } from '../../../../src/tunables/catalogue/index.js';
import { defaultOf } from '../../../../src/tunables/default.js';
import { isLess, problemOf } from '../../../../src/tunables/form.js';
import { recordedHosts, snapshotOfHost } from '../../../support/fixture.js';

const everything = { only: ['*'], skip: [], host: true, limits: true };
const cases = recordedHosts().flatMap((name) => PROFILES.map((profile) => [name, profile] as const));
const sysctls = tunables.filter(
  ({ kind, key, form }) => kind === 'sysctl' && !key.includes('*') && form.type === 'numbers',
);

const planFor = (snapshot: Snapshot, profile: Profile) =>
  draftOf(planView(snapshot), profile, everything, {}, emptyConfig()).rows;

/** What holds for every row of every plan. */
function expectHarmless(rows: readonly PlanRow[], snapshot: Snapshot) {
  expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
  for (const row of rows) {
    const tunable = tunableOf(row.key);
    if (!tunable) throw new Error(`${row.key} is not in the catalogue`);
    expect(row.to, row.key).not.toBe(row.from);
    expect(problemOf(tunable.form, row.to), row.key).toBeUndefined();
    for (const text of [row.reason, row.risk, row.needs]) expect(text, row.key).not.toBe('');
    expect(row.evidence.length, row.key).toBeGreaterThan(0);
    if (!tunable.raiseOnly) continue;
    expect(isLess(tunable.form, row.from, row.to), `${row.key}: ${row.from} → ${row.to}`).toBe(false);
    const usual = defaultOf(tunable, row.key, snapshot.host, {});
    const raisedPlaces = row.to.split(' ').filter((word, at) => word !== row.from.split(' ')[at]);
    if (usual !== undefined && tunable.form.type === 'numbers' && tunable.form.count === 1 && raisedPlaces.length > 0)
      expect(Number(row.to), row.key).toBeGreaterThanOrEqual(Number(usual));
  }
}

/** The host with this kernel's defaults, then with some settings as somebody may have left them. */
function withSysctls(snapshot: Snapshot, values: Readonly<Record<string, string>>): Snapshot {
  const usual = Object.fromEntries(
    sysctls.flatMap((tunable) => {
      const value = defaultOf(tunable, tunable.key, snapshot.host, {});
      return value === undefined ? [] : [[tunable.key, value]];
    }),
  );
  const set = { ...usual, ...values };
  const of = (test: (key: string) => boolean) => Object.fromEntries(Object.entries(set).filter(([key]) => test(key)));
  return {
    ...snapshot,
    host: { ...snapshot.host, sysctls: { ...snapshot.host.sysctls, ...of((key) => !key.startsWith('net.')) } },
    netns: snapshot.netns.map((netns) => ({
      ...netns,
      sysctls: { ...netns.sysctls, ...of((key) => key.startsWith('net.')) },
    })),
  };
}

const anySettings = fc
  .dictionary(fc.constantFrom(...sysctls.map(({ key }) => key)), fc.double({ min: 0, max: 1 }))
  .map((shares) =>
    Object.fromEntries(
      Object.entries(shares).map(([key, share]) => {
        const form = tunableOf(key)?.form;
        if (form?.type !== 'numbers') return [key, ''];
        const value = Math.floor(form.least + share ** 8 * (Math.min(form.most, 2 ** 31 - 1) - form.least));
        return [key, Array.from({ length: form.count }, () => value).join(' ')];
      }),
    ),
  );

describe('no plan lowers a limit', () => {
  it.each(cases)('%s as it was recorded, profile %s', (name, profile) => {
    const snapshot = snapshotOfHost(name);
    expectHarmless(planFor(snapshot, profile), snapshot);
  });

  it.each(cases)(
    "%s with the kernel's defaults and with any settings, profile %s",
    { timeout: 60_000 },
    (name, profile) => {
      const recorded = snapshotOfHost(name);
      fc.assert(
        fc.property(anySettings, (values) => {
          const snapshot = withSysctls(recorded, values);
          expectHarmless(planFor(snapshot, profile), snapshot);
        }),
        { numRuns: 8, examples: [[{}]] },
      );
    },
  );

  it('whatever anybody asks for', () => {
    const snapshot = withSysctls(snapshotOfHost('at-rest'), {});
    let seen = 0;
    const asked = fc.array(
      fc.record({
        key: fc.constantFrom(...sysctls.map(({ key }) => key)),
        number: fc.integer({ min: 0, max: 2 ** 40 }),
      }),
    );
    fc.assert(
      fc.property(asked, anySettings, (wishes, values) => {
        const host = withSysctls(snapshot, values);
        const candidates = wishes.map(({ key, number }): Candidate => {
          const form = tunableOf(key)?.form;
          const count = form?.type === 'numbers' ? form.count : 1;
          return {
            key,
            to: Array.from({ length: count }, () => number).join(' '),
            reason: 'asked',
            evidence: [{ source: 'test', key, value: number, unit: '' }],
            status: 'fail',
          };
        });
        const { rows } = buildPlan(planView(host), candidates, {}, everything);
        seen += rows.length;
        expectHarmless(rows, host);
      }),
    );
    expect(seen).toBeGreaterThan(0);
  });
});
