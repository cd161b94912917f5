import { type Static, Type } from '@sinclair/typebox';

const optionalInteger = () => Type.Optional(Type.Integer());

/** One entry of a port's GID table (RDMA addressing: what a queue pair is addressed by). */
export const RdmaGid = Type.Object({
  index: Type.Integer(),
  gid: Type.String({ description: 'As sysfs prints it: eight groups of four hexadecimal digits.' }),
  type: Type.Optional(Type.String({ description: '"IB/RoCE v1" or "RoCE v2"' })),
  interface: Type.Optional(Type.String()),
});
export type RdmaGid = Static<typeof RdmaGid>;

export const RdmaPort = Type.Object({
  port: Type.Integer(),
  state: Type.String({ description: '"ACTIVE", "DOWN", "INIT", "ARMED"' }),
  physicalState: Type.Optional(Type.String({ description: '"LinkUp", "Disabled", "Polling", …' })),
  linkLayer: Type.Optional(Type.String({ description: '"Ethernet" or "InfiniBand"' })),
  rate: Type.Optional(Type.String({ description: 'As sysfs prints it, "100 Gb/sec (4X EDR)".' })),
  rateGbps: Type.Optional(Type.Number()),
  activeMtu: optionalInteger(),
  maxMtu: optionalInteger(),
  interface: Type.Optional(Type.String({ description: 'The network device behind the port.' })),
  gids: Type.Array(RdmaGid, { description: 'Entries that are not all zero.' }),
  counters: Type.Record(Type.String(), Type.Number(), {
    description: 'counters/ and hw_counters/ of sysfs, by file name.',
  }),
});
export type RdmaPort = Static<typeof RdmaPort>;

/** The counters of one port as they move: what RdmaPort.counters holds, per reading. */
export const RdmaPortCounters = Type.Object({
  device: Type.String(),
  port: Type.Integer(),
  counters: Type.Record(Type.String(), Type.Number(), {
    description: 'counters/ and hw_counters/ of sysfs, by file name.',
  }),
});
export type RdmaPortCounters = Static<typeof RdmaPortCounters>;

/** ibv_query_device_ex: present only where libibverbs could be loaded and the device opened. */
export const RdmaMaxima = Type.Object({
  maxQp: Type.Integer(),
  maxQpWr: Type.Integer(),
  maxSge: Type.Integer(),
  maxCq: Type.Integer(),
  maxCqe: Type.Integer(),
  maxMr: Type.Integer(),
  maxMrBytes: Type.Number(),
  maxPd: Type.Integer(),
  maxSrq: Type.Integer(),
  atomics: Type.String({ description: '"none", "hca", "global"' }),
  onDemandPaging: Type.Boolean(),
  deviceMemoryBytes: Type.Number(),
  completionVectors: Type.Integer(),
});
export type RdmaMaxima = Static<typeof RdmaMaxima>;

export const RdmaDevice = Type.Object({
  name: Type.String({ description: '"mlx5_0", "rxe0"' }),
  nodeType: Type.Optional(Type.String()),
  driver: Type.Optional(Type.String({ description: '"mlx5_core", "rxe", "siw"' })),
  firmware: Type.Optional(Type.String()),
  nodeGuid: Type.Optional(Type.String()),
  numaNode: optionalInteger(),
  ports: Type.Array(RdmaPort),
  resources: Type.Optional(
    Type.Record(Type.String(), Type.Integer(), {
      description: 'In use now, by RDMA netlink: "qp", "cq", "mr", "pd", "cm_id", "ctx".',
    }),
  ),
  maxima: Type.Optional(RdmaMaxima),
});
export type RdmaDevice = Static<typeof RdmaDevice>;

/** What decides whether this host can do RDMA at all, device or not. */
export const RdmaStack = Type.Object({
  sysfsClass: Type.Boolean({ description: '/sys/class/infiniband exists: ib_core is there.' }),
  netlink: Type.Boolean({ description: 'NETLINK_RDMA answers.' }),
  deviceNodes: Type.Array(Type.String(), { description: 'Names below /dev/infiniband.' }),
  deviceNodesReadable: Type.Optional(Type.Boolean()),
  verbsLibrary: Type.Optional(Type.String({ description: 'The libibverbs that could be loaded.' })),
  verbsDevices: Type.Optional(Type.Integer({ description: 'Devices for which a user-space provider was found.' })),
  verbsError: Type.Optional(Type.String()),
  capableHardware: Type.Array(
    Type.Object({
      bus: Type.String(),
      vendor: Type.String(),
      device: Type.String(),
      driver: Type.Optional(Type.String()),
      wants: Type.String(),
    }),
    { description: 'PCI network devices known to do RDMA, with the kernel module that they want.' },
  ),
  softwareProviders: Type.Array(
    Type.Object({
      name: Type.Union([Type.Literal('rxe'), Type.Literal('siw')]),
      available: Type.Union([Type.Literal('loaded'), Type.Literal('module'), Type.Literal('no')]),
    }),
  ),
});
export type RdmaStack = Static<typeof RdmaStack>;

export const Rdma = Type.Object({ stack: RdmaStack, devices: Type.Array(RdmaDevice) });
export type Rdma = Static<typeof Rdma>;
