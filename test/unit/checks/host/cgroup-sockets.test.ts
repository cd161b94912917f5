import { expect, test } from 'vitest';
import { cgroupSockets } from '../../../../src/checks/host/cgroup-sockets.js';
import type { Cgroup } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { processOf } from '../../../support/snapshot.js';

const run = (before: Partial<Cgroup>, after: Partial<Cgroup>, version: 1 | 2 = 1) => {
  const base = { path: '/web', version, pids: [42] };
  return judgeOne(cgroupSockets, {
    first: { host: { cgroups: [{ ...base, ...before }] } },
    last: { host: { processes: [processOf()], cgroups: [{ ...base, ...after }] } },
  });
};

const limit = { socketLimitBytes: 1 << 20, socketFailures: 0 };

test('v1: failed charges within the window fail, with the file that raises the limit', () => {
  const [result] = run({ ...limit, socketFailures: 3 }, { ...limit, socketBytes: 900_000, socketFailures: 15 });
  expect(result).toMatchObject({
    status: 'fail',
    subject: { cgroup: '/web', pid: 42, comm: 'server' },
    remedy: {
      commands: ['echo 2097152 > /sys/fs/cgroup/memory/web/memory.kmem.tcp.limit_in_bytes'],
      undo: 'echo 1048576 > /sys/fs/cgroup/memory/web/memory.kmem.tcp.limit_in_bytes',
    },
  });
  expect(result?.evidence).toContainEqual({
    ...{
      source: '/sys/fs/cgroup/memory/web/memory.kmem.tcp.failcnt',
      key: 'failcnt',
      value: 12,
      unit: '1',
      scope: 'window',
    },
  });
});

test('v1: 80 % warns, 95 % fails, old failures are info, plenty of room passes', () => {
  const at = (share: number, extra: Partial<Cgroup> = {}) =>
    run({ ...limit, ...extra }, { ...limit, ...extra, socketBytes: Math.round(share * 2 ** 20) })[0]?.status;
  expect(at(0.97)).toBe('fail');
  expect(at(0.85)).toBe('warn');
  expect(at(0.2, { socketFailures: 4 })).toBe('info');
  expect(at(0.2)).toBe('pass');
  expect(run({}, { socketBytes: 5_000_000 })[0]?.status).toBe('pass');
});

test('v2: hits of memory.max count only where sockets are a notable part', () => {
  const v2 = (socketBytes: number, hits: number) =>
    run({ socketFailures: 0 }, { socketFailures: hits, socketBytes, memoryLimitBytes: 1 << 30 }, 2)[0]?.status;
  expect(v2(300 * 2 ** 20, 5)).toBe('warn');
  expect(v2(2 ** 20, 5000)).toBe('pass');
  expect(v2(300 * 2 ** 20, 0)).toBe('pass');
});

test('no accounting is unknown, no group not applicable', () => {
  expect(run({}, {})[0]?.status).toBe('unknown');
  expect(judgeOne(cgroupSockets, {})[0]?.status).toBe('not-applicable');
});
