import { expect, test } from 'vitest';
import type { PlanRow } from '../../../../../src/model/tune/plan.js';
import { width } from '../../../../../src/report/layout.js';
import { prettyChange } from '../../../../../src/report/pretty/tune/change.js';
import { prettyPlan } from '../../../../../src/report/pretty/tune/plan.js';

const row: PlanRow = {
  key: 'net.core.somaxconn',
  kind: 'sysctl',
  from: '128',
  to: '4096',
  default: '4096',
  reason: '0.0.0.0:80 (server, pid 42) got the backlog of net.core.somaxconn (128) and needs more',
  evidence: [{ source: 'sock_diag', key: 'queue', value: 129, unit: 'connections', scope: 'now' }],
  risk: 'A longer queue hides a slow program behind longer waits.',
  owner: { name: 'tuned', running: true, pid: 7 },
  raiseOnly: true,
  needs: 'restart of the listening program',
  scope: 'netns',
  finding: 'backlog-clamped',
};
const skipped = [{ key: 'vm.swappiness', reason: 'not named by --only' }];
const plain = { columns: 80, colour: false, unicode: true };

test('a plan says what, why, the risk and the owner, and fits the terminal', () => {
  for (const columns of [40, 80, 200]) {
    const lines = prettyPlan({ rows: [row], skipped, title: 'profile general' }, { ...plain, columns }).split('\n');
    for (const line of lines) expect(width(line)).toBeLessThanOrEqual(columns);
    const text = lines.join(' ').replace(/\s+/g, ' ');
    for (const words of [
      'net.core.somaxconn: 128 → 4096',
      "the kernel's default: 4096",
      'and needs more (backlog-clamped)',
      'queue: 129 connections (sock_diag)',
      'hides a slow program',
      'restart of the listening program',
      'tuned (pid 7), which runs and may write it again',
      'vm.swappiness: not named by --only',
    ])
      expect(text).toContain(words);
  }
});

test('of many settings that are left out for one reason the first are named, with --verbose all', () => {
  const many = Array.from({ length: 20 }, (_, at) => ({ key: `kernel.key${at}`, reason: 'tune does not know it' }));
  const lines = (verbose: boolean) =>
    prettyPlan(
      { rows: [], skipped: [...many, ...skipped], title: 'profile general', verbose },
      { ...plain, columns: 1000 },
    )
      .split('\n')
      .filter((line) => line.includes('·'));
  expect(lines(false)).toEqual([
    '  · kernel.key0, kernel.key1, kernel.key2 and 17 more (--verbose): tune does not know it',
    '  · vm.swappiness: not named by --only',
  ]);
  expect(lines(true)[0]).toContain('kernel.key19: tune does not know it');
});

test('what was written, that it needs a restart, and how to take it back', () => {
  const text = prettyChange(
    {
      schemaVersion: 1,
      command: 'tune',
      profile: 'general',
      plan: [row],
      applied: [{ key: row.key, from: '128', to: '4096' }],
      skipped: [],
      id: 'ID',
      effect: [{ key: row.key, verdict: 'cannot be told', reason: `it needs: ${row.needs}`, windowMs: 1000 }],
    },
    plain,
  );
  for (const words of ['128 → 4096', `it needs: ${row.needs}`, 'sockdoc tune effect ID', 'sockdoc tune revert ID'])
    expect(text).toContain(words);
});

test('a failure names what was taken back and what was not', () => {
  const text = prettyChange(
    {
      schemaVersion: 1,
      command: 'tune',
      profile: 'general',
      plan: [row],
      applied: [],
      skipped: [],
      id: 'ID',
      failed: {
        key: row.key,
        reason: 'permission denied',
        undone: ['a.b'],
        kept: [{ key: 'c.d', reason: 'changed by another' }],
      },
    },
    plain,
  );
  for (const words of [
    'could not be written: permission denied',
    'Taken back: a.b',
    'c.d was left as it is: changed by another',
  ])
    expect(text).toContain(words);
  expect(text).not.toContain('sockdoc tune revert');
});
