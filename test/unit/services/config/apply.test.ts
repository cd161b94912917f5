import { expect, test } from 'vitest';
import type { Result } from '../../../../src/model/results.js';
import { applyConfig, expiredSuppressions } from '../../../../src/services/config/apply.js';
import { type Config, emptyConfig } from '../../../../src/services/config/types.js';
import { plainResult, resultOf } from '../../../support/document.js';

const DAY = '2026-06-15';
const place = { file: 'f.yaml', line: 3 };
const apply = (results: Result[], config: Partial<Config>) =>
  applyConfig(results, { ...emptyConfig(), ...config }, DAY);
const suppress = (subject: Record<string, string | number> | undefined, expires?: string) => ({
  suppressions: [
    {
      id: 'listen-overflow',
      reason: 'known',
      ...place,
      ...(subject ? { subject } : {}),
      ...(expires ? { expires } : {}),
    },
  ],
});

test('a suppression hides the findings that it describes and no others', () => {
  const hidden = (subject?: Record<string, string | number>) =>
    apply([resultOf()], suppress(subject))[0]?.suppressed?.reason;
  expect(hidden()).toBe('known');
  expect(hidden({ comm: 'server', pid: 42 })).toBe('known');
  expect(hidden({ listener: '0.0.0.0:*' })).toBe('known');
  expect(hidden({ listener: '*:*0' })).toBe('known');
  expect(hidden({ comm: 'serv' })).toBeUndefined();
  expect(hidden({ listener: '*:81' })).toBeUndefined();
  expect(hidden({ interface: '*' })).toBeUndefined();
  expect(hidden({ pid: 43 })).toBeUndefined();
  expect(apply([plainResult({ id: 'other' })], suppress(undefined))[0]?.suppressed).toBeUndefined();
  expect(apply([plainResult({ status: 'pass' })], suppress(undefined))[0]?.suppressed).toBeUndefined();
});

test('it holds through its last day; after that the finding is back and the entry is a warning', () => {
  expect(apply([resultOf()], suppress(undefined, DAY))[0]?.suppressed).toEqual({ reason: 'known', expires: DAY });
  const expired = { ...emptyConfig(), ...suppress(undefined, '2026-06-14') };
  expect(applyConfig([resultOf()], expired, DAY)[0]?.suppressed).toBeUndefined();
  expect(expiredSuppressions(expired, DAY, new Set(['listen-overflow']))).toMatchObject([
    { status: 'warn', id: 'suppression-expired', subject: { file: 'f.yaml:3', key: 'listen-overflow' } },
  ]);
  expect(expiredSuppressions(expired, DAY, new Set(['another']))).toEqual([]);
  expect(
    expiredSuppressions({ ...emptyConfig(), ...suppress(undefined, DAY) }, DAY, new Set(['listen-overflow'])),
  ).toEqual([]);
});

test('a severity changes findings, never a pass or an unknown', () => {
  const status = (result: Result, rule: Config['severity'][string]) =>
    apply([result], { severity: { 'listen-overflow': rule } })[0]?.status;
  expect(status(resultOf(), 'info')).toBe('info');
  expect(status(resultOf(), { fail: 'warn' })).toBe('warn');
  expect(status(resultOf({ status: 'warn' }), { fail: 'warn' })).toBe('warn');
  expect(status(plainResult({ status: 'info' }), 'fail')).toBe('fail');
  expect(status(plainResult({ status: 'pass' }), 'fail')).toBe('pass');
  expect(status(plainResult({ status: 'unknown' }), 'fail')).toBe('unknown');
});

test('a pattern of many stars does not take for ever', () => {
  const subject = { comm: `${'*a'.repeat(40)}*b` };
  const result = resultOf({ subject: { comm: 'a'.repeat(20_000) } });
  expect(apply([result], suppress(subject))[0]?.suppressed).toBeUndefined();
});
