import { expect, test } from 'vitest';
import { checks } from '../../../../src/checks/registry.js';
import { actionOf } from '../../../../src/services/check/action.js';
import { checkDocument } from '../../../../src/services/check/document.js';
import { exitCodeOf } from '../../../../src/services/check/run.js';
import { selectChecks } from '../../../../src/services/check/select.js';
import { documentOf, plainResult, resultOf } from '../../../support/document.js';
import { snapshotOf } from '../../../support/snapshot.js';

const priority = (id: string) => ({ low: 10, high: 90 })[id] ?? 50;

test('the action is that of the worst status, then of the check that costs clients most, then of its first result', () => {
  const results = [
    plainResult({ id: 'high', status: 'warn' }),
    resultOf({ id: 'low', summary: 'first' }),
    resultOf({ id: 'high', subject: { interface: 'eth0' } }),
    resultOf({ id: 'high', subject: { interface: 'eth1' } }),
  ];
  expect(actionOf(results, priority)).toBe('high (eth0): Accept faster: sysctl -w net.core.somaxconn=8192');
  expect(actionOf(results.slice(0, 1), priority)).toBe('high: 12 connections were turned away');
  expect(actionOf([plainResult({ status: 'info' }), plainResult({ status: 'unknown' })], priority)).toBeNull();
});

test('the action is what tune does, where it would look at the same and knows the setting', () => {
  const action = (parts: Parameters<typeof resultOf>[0], options?: string[]) =>
    actionOf([resultOf({ id: 'x', ...parts })], priority, options);
  const { remedy } = resultOf();
  if (!remedy) throw new Error('it has one');
  const asking = (key: string) => ({ remedy: { ...remedy, tunes: [{ key, from: '1', to: '2' }] } });
  expect(action({}, [])).toMatch(/: Accept faster: sockdoc tune --only net.core.somaxconn$/);
  expect(action({}, ['--profile latency'])).toMatch(/: sockdoc tune --profile latency --only net.core.somaxconn$/);
  expect(action(asking('limit:42:nofile'), [])).toMatch(/: sockdoc tune --limits --only limit:42:nofile$/);
  for (const other of [
    action({}),
    action(asking('kernel.core_pattern'), []),
    action({ subject: { netns: 'other' } }, []),
  ])
    expect(other).toMatch(/: sysctl -w net.core.somaxconn=8192$/);
});

test('an action is one line, whatever the command holds', () => {
  const remedy = {
    commands: ['a \\\n  b'],
    summary: 'Do this, e.g. that. Then more.',
    tunes: [],
    risk: '',
    undo: '',
    needs: '',
  };
  expect(actionOf([plainResult({ id: 'x', status: 'fail', remedy })], priority)).toBe('x: Do this, e.g. that: a \\ b');
});

test('counts what is shown; a run with unknown or skipped checks is incomplete', () => {
  const snapshot = snapshotOf();
  const document = (showSuppressed: boolean) =>
    checkDocument({
      snapshot,
      results: [resultOf(), plainResult({ status: 'unknown' }), resultOf({ suppressed: { reason: 'known' } })],
      profile: 'general',
      showSuppressed,
      priority,
    });
  expect(document(false).summary).toEqual({
    pass: 0,
    info: 0,
    warn: 0,
    fail: 1,
    skip: 0,
    unknown: 1,
    notApplicable: 0,
    suppressed: 1,
    complete: false,
  });
  expect(document(false).results).toHaveLength(2);
  expect(document(true).results).toHaveLength(3);
  expect(document(false)).toMatchObject({ takenAt: snapshot.takenAt, host: { hostname: 'test', container: null } });
});

test('the exit code follows the threshold', () => {
  const failed = documentOf([resultOf()]);
  const warned = documentOf([plainResult({ status: 'warn' })]);
  expect([exitCodeOf(failed, 'fail'), exitCodeOf(failed, 'warn'), exitCodeOf(failed, 'never')]).toEqual([1, 1, 0]);
  expect([exitCodeOf(warned, 'fail'), exitCodeOf(warned, 'warn'), exitCodeOf(warned, 'never')]).toEqual([0, 1, 0]);
});

test('--only and --skip choose, and a wrong id names those like it', () => {
  expect(selectChecks(checks, { only: [], skip: [] })).toHaveLength(checks.length);
  const ids = selectChecks(checks, { only: ['timestamps', 'listen-overflow'], skip: ['timestamps'] }).map((c) => c.id);
  expect(ids).toEqual(['listen-overflow']);
  expect(() => selectChecks(checks, { only: ['timestamp'], skip: [] })).toThrow(
    expect.objectContaining({ code: 2, next: expect.stringContaining('timestamps') }),
  );
  expect(() => selectChecks(checks, { only: ['timestamps'], skip: ['timestamps'] })).toThrow(
    expect.objectContaining({ code: 2 }),
  );
});
