import { expect, test } from 'vitest';
import { groupsOf } from '../../../../src/probes/cgroups/groups.js';
import { folderOf, parseMounts } from '../../../../src/probes/cgroups/hierarchies.js';
import { filesOf, parseGroup } from '../../../../src/probes/cgroups/parse.js';
import { foundOf } from '../../../support/found.js';

const V1 = [
  '31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755',
  '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct',
  '35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory',
  '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
].join('\n');

test('mounts of both versions, with options of shared mounts in between', () => {
  expect(parseMounts(V1)).toEqual({
    cpu: { root: '/', point: '/sys/fs/cgroup/cpu,cpuacct' },
    memory: { root: '/docker/abc', point: '/sys/fs/cgroup/memory' },
    unified: { root: '/', point: '/sys/fs/cgroup/unified' },
  });
  expect(parseMounts('1 2 0:1 / /a\\040b rw - cgroup2 none rw', '/proc/7/root')).toEqual({
    unified: { root: '/', point: '/proc/7/root/a b' },
  });
});

test('the folder of a cgroup, also where the mount shows only a part', () => {
  const whole = { root: '/', point: '/m' };
  const part = { root: '/docker/abc', point: '/m' };
  expect(folderOf(whole, '/')).toBe('/m');
  expect(folderOf(whole, '/a/b')).toBe('/m/a/b');
  expect(folderOf(part, '/docker/abc')).toBe('/m');
  expect(folderOf(part, '/docker/abc/x')).toBe('/m/x');
  expect(folderOf(part, '/docker/abcd')).toBeUndefined();
  expect(folderOf(whole, '/../other')).toBeUndefined();
});

test('version 1: one row per path, the cpu and memory controllers of one path together, those above marked', () => {
  const hierarchies = { cpu: { root: '/', point: '/c' }, memory: { root: '/', point: '/m' } };
  const groups = groupsOf(
    [
      { pid: 1, cgroups: { cpu: '/a/b', memory: '/a' } },
      { pid: 2, cgroups: { cpu: '/a/b', memory: '/' } },
    ],
    hierarchies,
  );
  expect(groups).toEqual([
    { version: 1, path: '/a/b', cpu: '/c/a/b', holds: true, pids: [1, 2] },
    { version: 1, path: '/a', cpu: '/c/a', memory: '/m/a', holds: true, pids: [1, 2] },
    { version: 1, path: '/', memory: '/m', holds: true, pids: [2] },
  ]);
});

test('the unified hierarchy counts alone, and beside version 1 only with a controller', () => {
  const processes = [{ pid: 1, cgroups: { cpu: '/', unified: '/s/u' } }];
  const unified = { root: '/', point: '/u', controllers: ['pids'] };
  const alone = groupsOf(processes, { unified });
  expect(alone.map((group) => [group.version, group.path, group.holds])).toEqual([
    [2, '/s/u', true],
    [2, '/s', false],
  ]);
  const cpu = { root: '/', point: '/c' };
  expect(groupsOf(processes, { unified, cpu }).map((group) => group.version)).toEqual([1]);
  const withMemory = { ...unified, controllers: ['memory'] };
  expect(groupsOf(processes, { unified: withMemory, cpu }).map((group) => group.version)).toEqual([1, 2, 2]);
});

test('at most 50 pids are kept', () => {
  const processes = Array.from({ length: 60 }, (_, at) => ({ pid: at + 1, cgroups: { unified: '/a' } }));
  const [group] = groupsOf(processes, { unified: { root: '/', point: '/u', controllers: [] } });
  expect(group?.pids).toHaveLength(50);
});

test('version 1: microseconds, quota in CPUs, no limit where the number means none', () => {
  const group = { version: 1 as const, path: '/a', cpu: '/c/a', memory: '/m/a', holds: true, pids: [1] };
  const files = {
    '/c/a/cpu.stat': 'nr_periods 10\nnr_throttled 4\nthrottled_time 2500000\n',
    '/c/a/cpu.cfs_quota_us': '150000\n',
    '/c/a/cpu.cfs_period_us': '100000\n',
    '/m/a/memory.usage_in_bytes': '4096\n',
    '/m/a/memory.limit_in_bytes': '9223372036854771712\n',
    '/m/a/memory.kmem.tcp.usage_in_bytes': '100\n',
    '/m/a/memory.kmem.tcp.limit_in_bytes': '1000\n',
    '/m/a/memory.kmem.tcp.failcnt': '3\n',
  };
  expect(filesOf(group).toSorted()).toEqual(Object.keys(files).toSorted());
  expect(parseGroup(group, foundOf({ files }))).toEqual({
    path: '/a',
    version: 1,
    pids: [1],
    periods: 10,
    throttled: 4,
    throttledUs: 2500,
    cpuQuotaCpus: 1.5,
    memoryBytes: 4096,
    socketBytes: 100,
    socketLimitBytes: 1000,
    socketFailures: 3,
  });
});

test('version 2, and files that a group does not have', () => {
  const group = { version: 2 as const, path: '/a', cpu: '/u/a', memory: '/u/a', holds: true, pids: [] };
  const files = {
    '/u/a/cpu.stat': 'usage_usec 9\nnr_periods 10\nnr_throttled 4\nthrottled_usec 2500\n',
    '/u/a/cpu.max': '50000 100000\n',
    '/u/a/cpu.pressure': 'some avg10=1.00 avg60=0.00 avg300=0.00 total=5\n',
    '/u/a/memory.current': '4096\n',
    '/u/a/memory.max': '8192\n',
    '/u/a/memory.stat': 'anon 1\nsock 77\n',
    '/u/a/memory.events': 'low 0\nhigh 0\nmax 6\noom 0\n',
  };
  expect(parseGroup(group, foundOf({ files }))).toEqual({
    path: '/a',
    version: 2,
    pids: [],
    periods: 10,
    throttled: 4,
    throttledUs: 2500,
    cpuQuotaCpus: 0.5,
    memoryBytes: 4096,
    memoryLimitBytes: 8192,
    socketBytes: 77,
    socketFailures: 6,
    cpuPressure: { someTotalUs: 5, someAvg10: 1 },
  });
  const unlimited = foundOf({ files: { '/u/a/cpu.max': 'max 100000\n', '/u/a/memory.max': 'max\n' } });
  expect(parseGroup(group, unlimited)).toEqual({ path: '/a', version: 2, pids: [] });
});
