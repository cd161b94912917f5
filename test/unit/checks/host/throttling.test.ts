import { expect, test } from 'vitest';
import { throttling } from '../../../../src/checks/host/throttling.js';
import type { Cgroup } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { processOf } from '../../../support/snapshot.js';

const group = (parts: Partial<Cgroup>): Cgroup => ({
  path: '/system.slice/web.service',
  version: 2,
  pids: [42],
  periods: 100,
  throttled: 0,
  throttledUs: 0,
  cpuQuotaCpus: 0.5,
  ...parts,
});

const run = (before: Partial<Cgroup>, after: Partial<Cgroup>, self: number[] = []) =>
  judgeOne(throttling, {
    first: { host: { cgroups: [group(before)] } },
    last: { host: { processes: [processOf()], cgroups: [group(after)] } },
    snapshot: { self },
  });

test('names the group, its process, the share of periods and the quota', () => {
  const [result, ...others] = run({ throttled: 3 }, { throttled: 9, periods: 110, throttledUs: 420_000 });
  expect(others).toEqual([]);
  expect(result).toMatchObject({
    status: 'warn',
    subject: { cgroup: '/system.slice/web.service', pid: 42, comm: 'server' },
    summary:
      '/system.slice/web.service (server (pid 42)) ran out of CPU quota in 6 of 10 periods (60 %): it may use 0.5 CPUs',
    remedy: {
      commands: ['systemctl set-property --runtime web.service CPUQuota=100%'],
      undo: 'systemctl set-property --runtime web.service CPUQuota=50%',
    },
  });
  const source = '/sys/fs/cgroup/system.slice/web.service/cpu.stat';
  expect(result?.evidence).toContainEqual({ source, key: 'nr_throttled', value: 6, unit: '1', scope: 'window' });
  expect(result?.evidence).toContainEqual({ source, key: 'nr_throttled', value: 9, unit: '1', scope: 'total' });
});

test('throttled before the window only is info, never throttled passes', () => {
  expect(run({ throttled: 9 }, { throttled: 9 })[0]?.status).toBe('info');
  expect(run({}, { periods: 110 })[0]).toMatchObject({
    status: 'pass',
    summary: expect.stringContaining('1 with a CPU quota'),
  });
});

test('a group of sockdoc alone is not a subject; no group, no counter, one reading', () => {
  expect(run({ throttled: 3 }, { throttled: 9 }, [42])[0]?.status).toBe('not-applicable');
  expect(judgeOne(throttling, { first: {} })[0]?.status).toBe('not-applicable');
  const bare: Cgroup = { path: '/x', version: 1, pids: [42] };
  expect(judgeOne(throttling, { first: {}, last: { host: { cgroups: [bare] } } })[0]?.status).toBe('unknown');
  expect(judgeOne(throttling, { last: { host: { cgroups: [group({ throttled: 3 })] } } })[0]?.status).toBe(
    'not-applicable',
  );
});
