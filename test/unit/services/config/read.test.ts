import { expect, test } from 'vitest';
import { defineCheck } from '../../../../src/checks/check.js';
import { timestamps } from '../../../../src/checks/tcp/timestamps.js';
import { merge } from '../../../../src/services/config/load.js';
import { readConfig } from '../../../../src/services/config/read.js';
import { emptyConfig } from '../../../../src/services/config/types.js';
import { SockdocError } from '../../../../src/support/errors.js';

const catalogue = [
  timestamps,
  defineCheck({
    ...timestamps,
    id: 'fd-limit',
    thresholds: { warnPercent: { default: 80, unit: '%', description: 'descriptors in use' } },
  }),
];
const read = (text: string) => readConfig({ path: 'f.yaml', text }, catalogue);

test('reads everything that a file may hold', () => {
  expect(
    read(`# ours
suppressions:
  - id: fd-limit
    subject: {comm: "java*", pid: 7}
    reason: known leak
    expires: 2026-12-31
severity:
  timestamps: info
  fd-limit: {fail: warn}
thresholds:
  fd-limit: {warnPercent: 70}
`),
  ).toEqual({
    files: ['f.yaml'],
    suppressions: [
      {
        id: 'fd-limit',
        subject: { comm: 'java*', pid: 7 },
        reason: 'known leak',
        expires: '2026-12-31',
        file: 'f.yaml',
        line: 3,
      },
    ],
    severity: { timestamps: 'info', 'fd-limit': { fail: 'warn' } },
    thresholds: { 'fd-limit': { warnPercent: 70 } },
  });
  expect(read('')).toEqual({ ...emptyConfig(), files: ['f.yaml'] });
  expect(read('suppressions:\n')).toEqual({ ...emptyConfig(), files: ['f.yaml'] });
});

test.each([
  ['suppressions: [\n', /^f\.yaml:2:1: /, ''],
  ['a: b: c\n', /^f\.yaml:1:\d+: /, ''],
  ['- x\n', /^f\.yaml:1:1: a list where a mapping belongs/, 'suppressions'],
  ['\nsupressions: []\n', /^f\.yaml:2:1 \(supressions\): unknown field/, 'one of suppressions'],
  ['suppressions: {}\n', /^f\.yaml:1:15 \(suppressions\): a mapping where a list belongs/, 'list'],
  ['suppressions:\n  - reason: x\n', /^f\.yaml:2:5 .*without an id/, 'id'],
  ['suppressions:\n  - id: timestamps\n', /^f\.yaml:2:5 .*without a reason/, 'why'],
  [
    'suppressions:\n  - id: timestamp\n    reason: x\n',
    /^f\.yaml:2:9 .*no check "timestamp"; did you mean timestamps/,
    'id of a check',
  ],
  ['suppressions:\n  - {id: timestamps, reason: x, until: 3}\n', /^f\.yaml:2:33 .*unknown field "until"/, 'expires'],
  ['suppressions:\n  - {id: timestamps, reason: x, expires: 2026-02-30}\n', /^f\.yaml:2:42 .*no day/, 'YYYY-MM-DD'],
  ['suppressions:\n  - {id: timestamps, reason: 5}\n', /^f\.yaml:2:30 .*5 where text belongs/, 'accepted'],
  ['suppressions:\n  - {id: timestamps, reason: x, subject: {process: y}}\n', /unknown field "process"/, 'comm'],
  ['suppressions:\n  - {id: timestamps, reason: x, subject: {pid: y}}\n', /the text "y" where a number belongs/, 'pid'],
  ['severity:\n  timestamps: fatal\n', /^f\.yaml:2:15 .*"fatal" is no severity/, 'info, warn or fail'],
  ['severity:\n  timestamp: info\n', /^f\.yaml:2:3 .*no check/, 'id of a check'],
  ['thresholds:\n  timestamps: {x: 1}\n', /^f\.yaml:2:3 .*has no thresholds/, 'no entry'],
  ['thresholds:\n  fd-limit: {warnPercent: a lot}\n', /^f\.yaml:2:27 .*where a number belongs/, 'the default is 80'],
  ['thresholds:\n  fd-limit: {percent: 1}\n', /^f\.yaml:2:14 .*unknown field "percent"/, 'warnPercent'],
  ['severity: {timestamps: info, timestamps: warn}\n', /^f\.yaml:1:\d+: .*unique/, ''],
])('%j is refused with its place and what was expected', (text, message, expected) => {
  let error: unknown;
  try {
    read(text);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(SockdocError);
  expect(error).toMatchObject({
    code: 2,
    message: expect.stringMatching(message),
    next: expect.stringContaining(expected),
  });
});

test('the nearest file decides, and suppressions of all files hold', () => {
  const near = read('severity: {timestamps: info}\nsuppressions: [{id: timestamps, reason: near}]');
  const far = read(
    'severity: {timestamps: fail, fd-limit: info}\nthresholds: {fd-limit: {warnPercent: 60}}\nsuppressions: [{id: fd-limit, reason: far}]',
  );
  expect(merge([near, far])).toMatchObject({
    severity: { timestamps: 'info', 'fd-limit': 'info' },
    thresholds: { 'fd-limit': { warnPercent: 60 } },
    suppressions: [{ reason: 'near' }, { reason: 'far' }],
  });
});
