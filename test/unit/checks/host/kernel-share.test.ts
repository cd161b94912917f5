import { expect, test } from 'vitest';
import { kernelShare } from '../../../../src/checks/host/kernel-share.js';
import type { Process } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { processOf } from '../../../support/snapshot.js';

const run = (userMs: number, systemMs: number, parts: Partial<Process> = { tcp: { listen: 1 } }) =>
  judgeOne(kernelShare, {
    first: { host: { processes: [processOf({ userMs: 1000, systemMs: 1000, ...parts })] } },
    last: { host: { processes: [processOf({ userMs: 1000 + userMs, systemMs: 1000 + systemMs, ...parts })] } },
  })[0];

test('a process that lives in the kernel is info, and called an upper bound', () => {
  const result = run(100, 400);
  expect(result).toMatchObject({
    status: 'info',
    subject: { pid: 42, comm: 'server' },
    summary:
      'server (pid 42) used 50 % of a CPU, 80 % of that in the kernel (an upper bound of what its socket calls cost)',
  });
  expect(result?.evidence).toContainEqual({
    source: '/proc/42/stat',
    key: 'stime',
    value: 400,
    unit: 'ms',
    scope: 'window',
  });
});

test('its own code, little CPU, a client, one reading', () => {
  expect(run(300, 200)?.status).toBe('pass');
  expect(run(5, 60)?.status).toBe('not-applicable');
  expect(run(100, 400, { tcp: { established: 1 } })?.status).toBe('not-applicable');
  expect(judgeOne(kernelShare, {})[0]?.status).toBe('not-applicable');
});
