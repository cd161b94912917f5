import { release } from 'node:os';
import { expect, test } from 'vitest';
import { parseCpuList, topology } from '../../../../src/probes/host/cpus.js';
import { fileFeatures } from '../../../../src/probes/host/features.js';
import { identity, parseCapabilities, parseOsRelease } from '../../../../src/probes/host/identity.js';
import { networkIrqs } from '../../../../src/probes/host/interrupts.js';
import { machine } from '../../../../src/probes/host/machine.js';
import { congestionControls } from '../../../../src/probes/host/modules.js';
import { settingOwners } from '../../../../src/probes/host/owners.js';
import { programs } from '../../../../src/probes/host/programs.js';
import { foundOf } from '../../../support/found.js';

const CPU = '/sys/devices/system/cpu';

test('CPUs with node, siblings, governor and idle states; offline ones are left out', () => {
  const files = {
    [`${CPU}/online`]: '0,2\n',
    [`${CPU}/cpu0/topology/core_id`]: '0\n',
    [`${CPU}/cpu0/topology/physical_package_id`]: '1\n',
    [`${CPU}/cpu0/cpufreq/scaling_governor`]: 'powersave\n',
    [`${CPU}/cpu0/cpufreq/energy_performance_preference`]: 'balance_performance\n',
    [`${CPU}/cpu0/cpuidle/state10/name`]: 'C10\n',
    [`${CPU}/cpu0/cpuidle/state10/latency`]: '890\n',
    [`${CPU}/cpu0/cpuidle/state10/disable`]: '1\n',
    [`${CPU}/cpu0/cpuidle/state2/name`]: 'C1E\n',
    [`${CPU}/cpu0/cpuidle/state2/latency`]: '10\n',
    [`${CPU}/cpu0/cpuidle/state2/disable`]: '0\n',
  };
  const paths = [
    `${CPU}/cpu0/node1`,
    `${CPU}/cpu1/node0`,
    `${CPU}/cpu0/cpuidle/state10`,
    `${CPU}/cpu0/cpuidle/state2`,
    '/sys/devices/system/node/node0',
    '/sys/devices/system/node/node1',
  ];
  expect(topology.parse(foundOf({ files, paths }))).toEqual({
    numaNodes: 2,
    cpus: [
      {
        cpu: 0,
        node: 1,
        package: 1,
        core: 0,
        governor: 'powersave',
        energyPreference: 'balance_performance',
        idleStates: [
          { name: 'C1E', latencyUs: 10, disabled: false },
          { name: 'C10', latencyUs: 890, disabled: true },
        ],
      },
      { cpu: 2 },
    ],
  });
});

test('without /sys the CPUs come from /proc/stat', () => {
  const found = foundOf({ files: { '/proc/stat': 'cpu  1 2\ncpu0 1 2\ncpu3 1 2\n' } });
  expect(topology.parse(found)).toEqual({ numaNodes: 1, cpus: [{ cpu: 0 }, { cpu: 3 }] });
});

test('lists of CPUs', () => {
  expect(parseCpuList('0-2,8\n')).toEqual([0, 1, 2, 8]);
  expect(parseCpuList('\n')).toEqual([]);
});

test('who we are: a set-user-id program counts by its effective user', () => {
  const status = 'Name:\tnode\nUid:\t1000\t0\t0\t0\nCapEff:\t0000000000001000\n';
  const files = {
    '/proc/thread-self/status': status,
    '/proc/stat': 'btime 1700000000\n',
    '/proc/meminfo': 'MemTotal:       2048 kB\n',
    '/etc/os-release': 'NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  };
  expect(identity.parse(foundOf({ files }))).toEqual({
    distribution: 'Debian GNU/Linux 12 (bookworm)',
    bootedAt: '2023-11-14T22:13:20.000Z',
    memoryBytes: 2048 * 1024,
    effectiveUid: 0,
    capabilities: ['CAP_NET_ADMIN'],
  });
});

test('capabilities above bit 31, and an escaped name', () => {
  expect(parseCapabilities('000001c000000001')).toEqual([
    'CAP_CHOWN',
    'CAP_PERFMON',
    'CAP_BPF',
    'CAP_CHECKPOINT_RESTORE',
  ]);
  expect(parseOsRelease("PRETTY_NAME='A \\$B'")).toBe('A $B');
  expect(parseOsRelease('NAME=x')).toBeUndefined();
});

test('clock source, huge pages, modules; a kernel without modules has no list', () => {
  const clock = '/sys/devices/system/clocksource/clocksource0';
  const files = {
    [`${clock}/current_clocksource`]: 'hpet\n',
    [`${clock}/available_clocksource`]: 'hpet acpi_pm \n',
    '/sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n',
    '/proc/modules': 'tcp_bbr 20480 1 - Live 0x0\nmlx5_core 1 0 - Live 0x0\n',
  };
  expect(machine.parse(foundOf({ files }))).toEqual({
    clocksource: { current: 'hpet', available: ['hpet', 'acpi_pm'] },
    transparentHugepages: 'madvise',
    modules: ['tcp_bbr', 'mlx5_core'],
  });
  expect(machine.parse(foundOf({}))).toEqual({});
});

const KERNEL = `/lib/modules/${release()}/kernel`;
const MODULES = [`${KERNEL}/net/ipv4/tcp_bbr.ko.xz`, `${KERNEL}/net/ipv4/tcp_diag.ko`, `${KERNEL}/net/tls/tls.ko.zst`];
const AVAILABLE = { '/proc/sys/net/ipv4/tcp_available_congestion_control': 'reno cubic\n' };

test('congestion controls that a module would bring', () => {
  const open = foundOf({ files: { ...AVAILABLE, '/proc/modules': '' }, paths: MODULES });
  expect(congestionControls.parse(open)).toEqual({ available: ['reno', 'cubic'], loadable: ['bbr'] });
});

test('nothing is loadable where the kernel has no modules or takes no more', () => {
  const none = foundOf({ files: AVAILABLE, paths: MODULES });
  const closed = foundOf({
    files: { ...AVAILABLE, '/proc/modules': '', '/proc/sys/kernel/modules_disabled': '1\n' },
    paths: MODULES,
  });
  expect(congestionControls.parse(none)?.loadable).toEqual([]);
  expect(congestionControls.parse(closed)?.loadable).toEqual([]);
});

test('features from files: there, to be loaded, or not', () => {
  const files = {
    '/proc/modules': '',
    '/proc/thread-self/net/protocols': 'protocol  size\nSMC6      1  2\n',
    '/proc/sys/net/ipv4/tcp_available_ulp': 'mptcp\n',
    '/proc/sys/net/mptcp/enabled': '0\n',
    '/proc/thread-self/schedstat': '0 0 0\n',
  };
  expect(fileFeatures.parse(foundOf({ files, paths: [...MODULES, '/sys/kernel/btf/vmlinux'] }))).toEqual({
    smc: { available: true },
    ktls: { available: true, detail: 'module tls, not loaded' },
    mptcp: { available: true, detail: 'net.mptcp.enabled = 0' },
    btf: { available: true },
    psi: { available: false },
    schedstat: { available: false },
  });
});

test('owners of settings by the names of their processes, once each', () => {
  const files = {
    '/proc/900/comm': 'tuned\n',
    '/proc/31/comm': 'irqbalance\n',
    '/proc/30/comm': 'irqbalance\n',
    '/proc/32/comm': 'bash\n',
    '/etc/tuned/active_profile': 'network-latency\n',
  };
  expect(settingOwners.parse(foundOf({ files }))).toEqual(
    expect.arrayContaining([
      { name: 'tuned', pid: 900, detail: 'network-latency' },
      { name: 'irqbalance', pid: 30 },
    ]),
  );
  expect(settingOwners.parse(foundOf({ files }))).toHaveLength(2);
});

test('installed rivals by the files that they bring', () => {
  const paths = ['/usr/lib/x86_64-linux-gnu/rsocket/librspreload.so', '/usr/lib64/libvma.so.9', '/usr/sbin/tuned-adm'];
  expect(programs.parse(foundOf({ paths }))).toEqual({ rsocket: paths[0], libvma: paths[1] });
});

test('interrupts of network devices by PCI class, wherever their interface is', () => {
  const pci = '/sys/bus/pci/devices';
  const found = foundOf({
    files: {
      [`${pci}/0000:01:00.0/class`]: '0x020000\n',
      [`${pci}/0000:01:00.0/irq`]: '16\n',
      [`${pci}/0000:02:00.0/class`]: '0x010802\n',
      [`${pci}/0000:02:00.0/irq`]: '17\n',
    },
    paths: [
      `${pci}/0000:01:00.0/msi_irqs/40`,
      `${pci}/0000:02:00.0/msi_irqs/50`,
      '/sys/bus/virtio/devices/virtio3/net',
      '/sys/class/net/lo',
      '/sys/class/net/eth0',
    ],
  });
  const { irqs, names } = networkIrqs.parse(found);
  expect([...irqs].toSorted()).toEqual(['16', '40']);
  expect(names).toEqual(['virtio3', 'eth0']);
});
