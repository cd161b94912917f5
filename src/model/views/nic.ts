import { type Static, Type } from '@sinclair/typebox';
import { Gap } from '../gap.js';
import { Address, DeviceIrq, Link, LinkCounters } from '../snapshot/links.js';

const rate = (description?: string) => Type.Optional(Type.Number(description ? { description } : {}));

/** One network interface in short, for the live screen. Rates over the window. */
export const NicRow = Type.Object({
  name: Type.String(),
  netns: Type.Optional(Type.String()),
  driver: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String({ description: '"veth", "bond", "vlan", …; absent for a device of its own.' })),
  state: Type.String({ description: 'operstate: "up", "down", "unknown", …' }),
  speedBps: Type.Optional(Type.Number()),
  mtuBytes: Type.Integer(),
  rxBps: rate(),
  txBps: rate(),
  rxPacketsPerS: rate(),
  txPacketsPerS: rate(),
  rxDropsPerS: rate('rx_dropped and rx_missed_errors'),
  txDropsPerS: rate('tx_dropped: by the driver; what a qdisc drops is qdiscDropsPerS'),
  errorsPerS: rate('rx_errors and tx_errors'),
  qdiscDropsPerS: rate('Of the root qdisc.'),
  rxQueues: Type.Optional(Type.Integer()),
  txQueues: Type.Optional(Type.Integer()),
  qdisc: Type.Optional(Type.String()),
  numaNode: Type.Optional(Type.Integer()),
  rdma: Type.Optional(Type.String({ description: 'The RDMA verdict in a word or two.' })),
});
export type NicRow = Static<typeof NicRow>;

/** What one queue moved, by the driver's own statistics. Which of them there are depends on the driver. */
export const QueueRates = Type.Object({
  direction: Type.Union([Type.Literal('rx'), Type.Literal('tx')]),
  index: Type.Integer(),
  bps: rate(),
  packetsPerS: rate(),
  dropsPerS: rate(),
  packets: Type.Optional(Type.Number({ description: 'Since the driver began to count.' })),
  drops: Type.Optional(Type.Number()),
});
export type QueueRates = Static<typeof QueueRates>;

export const NicIrq = Type.Composite([
  DeviceIrq,
  Type.Object({
    perS: rate('Interrupts per second, all CPUs.'),
    cpus: Type.Optional(Type.Array(Type.Integer(), { description: 'CPUs that took it within the window.' })),
    numaNodes: Type.Optional(Type.Array(Type.Integer(), { description: 'Nodes of the CPUs where it may run now.' })),
  }),
]);
export type NicIrq = Static<typeof NicIrq>;

/** A counter that is not zero, by the name that the kernel or the driver gives it. */
export const NicCounter = Type.Object({
  source: Type.Union([Type.Literal('standard'), Type.Literal('driver'), Type.Literal('pause')]),
  name: Type.String(),
  total: Type.Number(),
  perS: rate(),
});
export type NicCounter = Static<typeof NicCounter>;

export const NicQdisc = Type.Composite([
  LinkCounters.properties.qdiscs.items,
  Type.Object({ bps: rate(), packetsPerS: rate(), dropsPerS: rate(), overlimitsPerS: rate() }),
]);
export type NicQdisc = Static<typeof NicQdisc>;

/** Whether sockets of this interface could be carried by RDMA, and why not. */
export const NicRdma = Type.Object({
  able: Type.Boolean(),
  reason: Type.String({ description: '"able", "no-hardware", "port-down", …: as the check rdma-verdict has it.' }),
  sentence: Type.String(),
  device: Type.Optional(Type.String()),
  next: Type.Optional(Type.Object({ summary: Type.String(), commands: Type.Array(Type.String()) })),
});
export type NicRdma = Static<typeof NicRdma>;

/** All about one interface: `nic IFACE`. */
export const NicDetail = Type.Object({
  link: Link,
  addresses: Type.Array(Address),
  queues: Type.Array(QueueRates),
  irqs: Type.Array(NicIrq),
  qdiscs: Type.Array(NicQdisc),
  counters: Type.Array(NicCounter),
  rdma: Type.Optional(NicRdma),
});
export type NicDetail = Static<typeof NicDetail>;

export const NicDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('nic'),
    version: Type.String(),
    takenAt: Type.String(),
    windowMs: Type.Number(),
    interfaces: Type.Array(NicRow),
    detail: Type.Optional(NicDetail),
    gaps: Type.Array(Gap),
  },
  { $id: 'nic', title: 'sockdoc nic --json' },
);
export type NicDocument = Static<typeof NicDocument>;
