import { expect, test } from 'vitest';
import { contextSwitches } from '../../../../src/checks/host/context-switches.js';
import type { Thread } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { processOf, threadOf } from '../../../support/snapshot.js';

const run = (after: Partial<Thread>, before: Partial<Thread> = {}) => {
  const processes = [processOf({ tcp: { listen: 1 } })];
  return judgeOne(contextSwitches, {
    first: {
      host: {
        processes,
        contextSwitches: 1000,
        threads: [threadOf({ runMs: 0, runDelayMs: 0, involuntarySwitches: 10, ...before })],
      },
    },
    last: { host: { processes, contextSwitches: 5000, threads: [threadOf({ runMs: 300, ...after })] } },
  });
};

test('warns when a thread is pushed off its CPU and kept waiting', () => {
  const [result] = run({ runDelayMs: 400, involuntarySwitches: 190 });
  expect(result).toMatchObject({
    status: 'warn',
    subject: { pid: 42, tid: 42 },
    summary:
      'server (pid 42): thread server/42 was pushed off its CPU 180 times a second and waited 40 % of the time for one',
  });
  expect(result?.evidence).toContainEqual({
    ...{ source: '/proc/42/task/42/status', key: 'nonvoluntary_ctxt_switches', value: 180, unit: '1', scope: 'window' },
    subject: { pid: 42, tid: 42, comm: 'server' },
  });
  expect(result?.evidence).toContainEqual({
    source: '/proc/stat',
    key: 'ctxt',
    value: 4000,
    unit: '1',
    scope: 'window',
  });
});

test('either alone passes', () => {
  expect(run({ runDelayMs: 10, involuntarySwitches: 900 })[0]?.status).toBe('pass');
  expect(run({ runDelayMs: 400, involuntarySwitches: 12 })[0]?.status).toBe('pass');
});

test('missing counters are unknown, one reading is not enough', () => {
  expect(run({}, { runDelayMs: 0 })[0]?.status).toBe('unknown');
  expect(judgeOne(contextSwitches, {})[0]?.status).toBe('not-applicable');
});
