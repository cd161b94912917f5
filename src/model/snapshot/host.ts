import { type Static, Type } from '@sinclair/typebox';
import { Process, SelectSample, Thread } from './processes.js';
import { Rdma, RdmaPortCounters } from './rdma.js';

const optionalInteger = (description?: string) => Type.Optional(Type.Integer(description ? { description } : {}));

export const Cpu = Type.Object({
  cpu: Type.Integer(),
  node: optionalInteger('NUMA node'),
  package: optionalInteger(),
  core: optionalInteger('Core id within its package: CPUs that share it are siblings.'),
  governor: Type.Optional(Type.String()),
  energyPreference: Type.Optional(Type.String()),
  idleStates: Type.Optional(
    Type.Array(Type.Object({ name: Type.String(), latencyUs: Type.Integer(), disabled: Type.Boolean() })),
  ),
});
export type Cpu = Static<typeof Cpu>;

/** One line that sets a key, in one of the files that a boot-time tool applies. */
export const SysctlAssignment = Type.Object({
  key: Type.String({ description: 'With dots; a glob is kept as it stands.' }),
  value: Type.Optional(Type.String({ description: 'Absent for "-key" alone, which exempts a key from globs.' })),
  file: Type.String(),
  line: Type.Integer(),
  ignoreErrors: Type.Boolean({ description: 'Written with a leading "-".' }),
  glob: Type.Boolean(),
});
export type SysctlAssignment = Static<typeof SysctlAssignment>;

/** The files as one tool applies them: the last assignment of a key wins. */
export const SysctlFiles = Type.Object({
  assignments: Type.Array(SysctlAssignment),
  order: Type.Object({
    systemd: Type.Array(Type.String(), { description: 'Files in the order in which systemd-sysctl applies them.' }),
    procps: Type.Array(Type.String(), { description: 'Files in the order in which `sysctl --system` applies them.' }),
  }),
  masked: Type.Array(Type.Object({ file: Type.String(), by: Type.String() }), {
    description: 'Files that another of the same name in a folder of higher precedence hides.',
  }),
});
export type SysctlFiles = Static<typeof SysctlFiles>;

/** Somebody who writes settings on this host. */
export const SettingOwner = Type.Object({
  name: Type.String({ description: '"tuned", "irqbalance", "kubelet", "cilium", …' }),
  pid: optionalInteger(),
  detail: Type.Optional(Type.String({ description: 'e.g. the active profile of tuned.' })),
  keys: Type.Optional(
    Type.Array(Type.String(), {
      description: 'Sysctls and files below /sys that its configuration names, where that can be read (tuned).',
    }),
  ),
});
export type SettingOwner = Static<typeof SettingOwner>;

/** Facts of the host that do not change within a window. */
export const HostFacts = Type.Object({
  hostname: Type.String(),
  kernel: Type.String({ description: 'uname -r' }),
  arch: Type.String(),
  distribution: Type.Optional(Type.String()),
  bootedAt: Type.Optional(Type.String({ description: 'ISO 8601' })),
  cpus: Type.Array(Cpu),
  memoryBytes: Type.Integer(),
  pageBytes: Type.Integer(),
  numaNodes: Type.Integer(),
  container: Type.Optional(Type.String({ description: '"docker", "lxc", "kubernetes", …; absent outside one.' })),
  virtualization: Type.Optional(Type.String({ description: '"kvm", "vmware", … where the CPU says so.' })),
  effectiveUid: Type.Integer(),
  capabilities: Type.Array(Type.String(), { description: 'Effective, e.g. "CAP_NET_ADMIN".' }),
  sysctls: Type.Record(Type.String(), Type.String(), { description: 'fs.*, vm.* and kernel.* that checks use.' }),
  sysctlFiles: Type.Optional(SysctlFiles),
  settingOwners: Type.Array(SettingOwner),
  clocksource: Type.Optional(Type.Object({ current: Type.String(), available: Type.Array(Type.String()) })),
  transparentHugepages: Type.Optional(Type.String({ description: '"always", "madvise" or "never".' })),
  cpuDmaLatencyUs: optionalInteger('/dev/cpu_dma_latency; absent when not set or not readable.'),
  cgroupVersion: Type.Optional(Type.Union([Type.Literal(1), Type.Literal(2)])),
  congestionControls: Type.Optional(
    Type.Object({ available: Type.Array(Type.String()), loadable: Type.Array(Type.String()) }),
  ),
  modules: Type.Optional(Type.Array(Type.String(), { description: '/proc/modules; absent when the kernel has none.' })),
  features: Type.Record(
    Type.String(),
    Type.Object({ available: Type.Boolean(), detail: Type.Optional(Type.String()) }),
    {
      description:
        'Kernel features by name: "smc", "sockmap", "io_uring", "io_uring-send-zc", "io_uring-recv-zc", "msg-zerocopy", "ktls", "mptcp", "bpf", "btf", "psi", "schedstat".',
    },
  ),
  rdma: Type.Optional(Rdma),
  programs: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'Installed rivals and helpers: name → path ("rsocket", "libvma", "irqbalance", "tuned").',
    }),
  ),
});
export type HostFacts = Static<typeof HostFacts>;

/** A line of /proc/stat for one CPU, in clock ticks of 10 ms. */
export const CpuTimes = Type.Object({
  cpu: Type.Integer(),
  user: Type.Integer(),
  nice: Type.Integer(),
  system: Type.Integer(),
  idle: Type.Integer(),
  iowait: Type.Integer(),
  irq: Type.Integer(),
  softirq: Type.Integer(),
  steal: Type.Integer(),
});
export type CpuTimes = Static<typeof CpuTimes>;

/** A line of /proc/net/softnet_stat, which is host-wide. The CPU is column 13, not the line number. */
export const Softnet = Type.Object({
  cpu: Type.Integer(),
  processed: Type.Integer(),
  dropped: Type.Integer(),
  squeezed: Type.Integer(),
  receivedRps: optionalInteger(),
  flowLimit: optionalInteger(),
  backlogLength: optionalInteger(),
});
export type Softnet = Static<typeof Softnet>;

/** Pressure stall information: time lost, microseconds since boot, and its averages in per cent. */
export const Pressure = Type.Object({
  someTotalUs: Type.Integer(),
  someAvg10: Type.Number(),
  fullTotalUs: optionalInteger(),
  fullAvg10: Type.Optional(Type.Number()),
});
export type Pressure = Static<typeof Pressure>;

/** A cgroup that holds at least one process with sockets. Counters since it was made. */
export const Cgroup = Type.Object({
  path: Type.String(),
  version: Type.Union([Type.Literal(1), Type.Literal(2)]),
  periods: optionalInteger('cpu.stat nr_periods'),
  throttled: optionalInteger('cpu.stat nr_throttled'),
  throttledUs: optionalInteger(),
  cpuQuotaCpus: Type.Optional(Type.Number({ description: 'quota / period; absent when unlimited.' })),
  memoryBytes: optionalInteger(),
  memoryLimitBytes: optionalInteger('Absent when unlimited.'),
  socketBytes: optionalInteger('memory.stat sock (v2), memory.kmem.tcp.usage_in_bytes (v1).'),
  socketLimitBytes: optionalInteger('memory.kmem.tcp.limit_in_bytes, v1 only; absent when unlimited.'),
  socketFailures: optionalInteger('memory.kmem.tcp.failcnt (v1); memory.events max (v2).'),
  cpuPressure: Type.Optional(Pressure),
  memoryPressure: Type.Optional(Pressure),
  pids: Type.Array(Type.Integer(), { description: 'Of the processes of this reading, at most 50.' }),
});
export type Cgroup = Static<typeof Cgroup>;

export const KernelLogEntry = Type.Object({
  atMs: Type.Number({ description: 'Milliseconds after boot.' }),
  text: Type.String(),
});
export type KernelLogEntry = Static<typeof KernelLogEntry>;

/** skb:kfree_skb by reason and place, counted in the kernel over the window. */
export const DropCount = Type.Object({
  reason: Type.String({
    description: 'enum skb_drop_reason without its prefix, "NO_SOCKET"; "#77" where it has no name.',
  }),
  place: Type.Optional(Type.String({ description: 'Function, from kallsyms.' })),
  count: Type.Integer(),
});
export type DropCount = Static<typeof DropCount>;

export const HostReading = Type.Object({
  cpus: Type.Array(CpuTimes),
  contextSwitches: optionalInteger(),
  forks: optionalInteger(),
  runnable: optionalInteger('procs_running'),
  softnet: Type.Array(Softnet),
  softirqs: Type.Record(Type.String(), Type.Array(Type.Integer()), {
    description: '/proc/softirqs, "NET_RX" and "NET_TX": one count per CPU of `softirqCpus`.',
  }),
  softirqCpus: Type.Array(Type.Integer()),
  interrupts: Type.Record(Type.String(), Type.Array(Type.Integer()), {
    description: 'Interrupts of network and RDMA devices by IRQ number: one count per CPU of `interruptCpus`.',
  }),
  interruptCpus: Type.Array(Type.Integer()),
  pressure: Type.Object({
    cpu: Type.Optional(Pressure),
    memory: Type.Optional(Pressure),
    io: Type.Optional(Pressure),
  }),
  memory: Type.Record(Type.String(), Type.Integer(), {
    description: '/proc/meminfo, bytes: "MemAvailable", "SwapFree", …',
  }),
  vmstat: Type.Record(Type.String(), Type.Integer(), {
    description: '"pswpin", "pswpout", "allocstall_normal", "pgmajfault", …',
  }),
  files: Type.Optional(Type.Object({ allocated: Type.Integer(), max: Type.Integer() })),
  epollWatches: Type.Optional(
    Type.Record(Type.String(), Type.Integer(), {
      description: 'Watches counted per uid, from the epoll sets that were read.',
    }),
  ),
  cgroups: Type.Array(Cgroup),
  rdmaCounters: Type.Optional(
    Type.Array(RdmaPortCounters, { description: 'Of every port in `host.rdma.devices`; absent when there is none.' }),
  ),
  processes: Type.Array(Process),
  threads: Type.Array(Thread),
});
export type HostReading = Static<typeof HostReading>;

/** What was watched for during the window rather than read at its ends. */
export const Observed = Type.Object({
  selects: Type.Optional(Type.Array(SelectSample)),
  kernelLog: Type.Optional(
    Type.Array(KernelLogEntry, { description: 'Lines about networking and memory, since boot.' }),
  ),
  drops: Type.Optional(Type.Array(DropCount)),
});
export type Observed = Static<typeof Observed>;
