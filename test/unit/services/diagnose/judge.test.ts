import { expect, test } from 'vitest';
import type { Check, Finding, HostContext } from '../../../../src/checks/check.js';
import { fail, info, pass } from '../../../../src/checks/findings.js';
import { timestamps } from '../../../../src/checks/tcp/timestamps.js';
import { judge } from '../../../../src/services/diagnose/judge.js';
import { snapshotOf } from '../../../support/snapshot.js';

const settings = { profile: 'general', thresholds: {} } as const;

const checkOf = (judgeIt: (context: HostContext) => Finding[]): Check => ({
  ...timestamps,
  id: 'made-up',
  scope: 'host',
  thresholds: { count: { default: 3, unit: '1', description: 'for the test' } },
  judge: judgeIt,
});

test('a check that throws is unknown, says so, and does not take the others with it', () => {
  const broken = checkOf(() => {
    throw new Error('no such row');
  });
  const results = judge([broken, checkOf(() => [pass('fine')])], snapshotOf(), settings);
  expect(results.map(({ status }) => status)).toEqual(['unknown', 'pass']);
  expect(results[0]?.summary).toContain('no such row');
});

test('the worst come first, and what is beyond twenty is one result with its count', () => {
  const many = Array.from({ length: 30 }, (_, i) => info(`note ${i}`, [], { weight: i }));
  const results = judge([checkOf(() => [...many, fail('the worst')])], snapshotOf(), settings);
  expect(results).toHaveLength(20);
  expect(results[0]).toMatchObject({ status: 'fail', summary: 'the worst' });
  expect(results[1]?.summary).toBe('note 29');
  expect(results[19]).toMatchObject({ status: 'info', count: 12 });
  expect(results[19]?.summary).toContain('12 more like these');
});

test('a threshold is the default unless it is set, and an undeclared one is a bug', () => {
  const asks = (name: string) => checkOf(({ threshold }) => [pass(String(threshold(name)))]);
  const summary = (name: string, thresholds = {}) =>
    judge([asks(name)], snapshotOf(), { ...settings, thresholds })[0]?.summary;
  expect(summary('count')).toBe('3');
  expect(summary('count', { 'made-up': { count: 7 } })).toBe('7');
  expect(summary('other')).toContain('has no threshold "other"');
});

test('a namespace is named where there is more than the current one', () => {
  const host = snapshotOf({ net: { sysctls: { 'net.ipv4.tcp_timestamps': '0' } } });
  const [facts, reading] = [host.netns[0], host.readings[0]];
  if (!facts || !reading?.netns[0]) throw new Error('no namespace in the snapshot');
  const both = {
    ...host,
    netns: [facts, { ...facts, id: '2', name: 'blue', current: false }],
    readings: [{ ...reading, netns: [reading.netns[0], { ...reading.netns[0], id: '2' }] }],
  };
  expect(judge([timestamps], host, settings)[0]?.subject?.netns).toBeUndefined();
  expect(judge([timestamps], both, settings).map(({ subject }) => subject?.netns)).toEqual([facts.id, 'blue']);
});
