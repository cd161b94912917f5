import type {
  Cpu,
  CpuTimes,
  Link,
  LinkCounters,
  NetnsReading,
  Rdma,
  RdmaDevice,
  RdmaPort,
  Softnet,
} from '../../src/model/snapshot/index.js';

/** A network card of its own, up and healthy. */
export const linkOf = (parts: Partial<Link> = {}): Link => ({
  index: 2,
  name: 'eth0',
  type: 'ether',
  up: true,
  operState: 'up',
  carrier: true,
  mtu: 1500,
  driver: 'mlx5_core',
  bus: '0000:01:00.0',
  ...parts,
});

export const vethOf = (parts: Partial<Link> = {}): Link => {
  const { bus: _, ...rest } = linkOf({ index: 3, name: 'veth0', kind: 'veth', driver: 'veth' });
  return { ...rest, ...parts };
};

export const countersOf = (
  standard: Record<string, number> = {},
  driver?: Record<string, number>,
  name = 'eth0',
): LinkCounters => ({ name, standard, qdiscs: [], ...(driver ? { driver } : {}) });

export const linkReading = (
  standard: Record<string, number> = {},
  driver?: Record<string, number>,
  name = 'eth0',
): { net: Partial<NetnsReading> } => ({ net: { links: [countersOf(standard, driver, name)] } });

/** CPU times in ticks; the rest of the second is idle. */
export const cpuTimes = (cpu: number, softirq: number, user = 0, idle = 0): CpuTimes => ({
  cpu,
  user,
  nice: 0,
  system: 0,
  idle,
  iowait: 0,
  irq: 0,
  softirq,
  steal: 0,
});

export const softnetOf = (cpu: number, processed: number, parts: Partial<Softnet> = {}): Softnet => ({
  cpu,
  processed,
  dropped: 0,
  squeezed: 0,
  ...parts,
});

/** CPUs spread evenly over nodes, each a core of its own. */
export const cpusOf = (count: number, nodes = 1): Cpu[] =>
  Array.from({ length: count }, (_, cpu) => ({
    cpu,
    node: Math.floor(cpu / (count / nodes)),
    package: Math.floor(cpu / (count / nodes)),
    core: cpu,
  }));

export const rdmaPortOf = (parts: Partial<RdmaPort> = {}): RdmaPort => ({
  port: 1,
  state: 'ACTIVE',
  physicalState: 'LinkUp',
  linkLayer: 'Ethernet',
  rate: '100 Gb/sec (4X EDR)',
  rateGbps: 100,
  activeMtu: 4096,
  maxMtu: 4096,
  interface: 'eth0',
  gids: [
    { index: 0, gid: 'fe80:0000:0000:0000:0e42:a1ff:fe7c:9a1e', type: 'IB/RoCE v1', interface: 'eth0' },
    { index: 1, gid: 'fe80:0000:0000:0000:0e42:a1ff:fe7c:9a1e', type: 'RoCE v2', interface: 'eth0' },
    { index: 2, gid: '0000:0000:0000:0000:0000:ffff:0a00:0001', type: 'IB/RoCE v1', interface: 'eth0' },
    { index: 3, gid: '0000:0000:0000:0000:0000:ffff:0a00:0001', type: 'RoCE v2', interface: 'eth0' },
  ],
  counters: {},
  ...parts,
});

export const rdmaDeviceOf = (parts: Partial<RdmaDevice> = {}): RdmaDevice => ({
  name: 'mlx5_0',
  nodeType: '1: CA',
  driver: 'mlx5_core',
  ports: [rdmaPortOf()],
  resources: { qp: 1, cq: 2, mr: 0, pd: 1, cm_id: 0, ctx: 0 },
  maxima: {
    maxQp: 131_072,
    maxQpWr: 32_768,
    maxSge: 30,
    maxCq: 16_777_216,
    maxCqe: 4_194_303,
    maxMr: 16_777_216,
    maxMrBytes: 2 ** 48,
    maxPd: 8_388_608,
    maxSrq: 8_388_608,
    atomics: 'hca',
    onDemandPaging: true,
    deviceMemoryBytes: 131_072,
    completionVectors: 8,
  },
  ...parts,
});

/** A host whose RDMA stack is complete. */
export const rdmaOf = (devices: RdmaDevice[] = [rdmaDeviceOf()], stack: Partial<Rdma['stack']> = {}): Rdma => ({
  stack: {
    sysfsClass: true,
    netlink: true,
    deviceNodes: ['rdma_cm', 'uverbs0'],
    deviceNodesReadable: true,
    verbsLibrary: 'libibverbs.so.1',
    verbsDevices: devices.length,
    capableHardware: [],
    softwareProviders: [
      { name: 'rxe', available: 'no' },
      { name: 'siw', available: 'no' },
    ],
    ...stack,
  },
  devices,
});
