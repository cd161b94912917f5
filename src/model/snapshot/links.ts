import { type Static, Type } from '@sinclair/typebox';

const optionalInteger = (description?: string) => Type.Optional(Type.Integer(description ? { description } : {}));

/** An interrupt of a device and where it may run. */
export const DeviceIrq = Type.Object({
  irq: Type.Integer(),
  name: Type.String({ description: 'As in /proc/interrupts, e.g. "eth0-TxRx-0".' }),
  affinity: Type.Optional(Type.String({ description: 'smp_affinity_list' })),
  effectiveAffinity: Type.Optional(Type.String({ description: 'effective_affinity_list' })),
});
export type DeviceIrq = Static<typeof DeviceIrq>;

/** A receive or a transmit queue as in /sys/class/net/X/queues. */
export const LinkQueue = Type.Object({
  index: Type.Integer(),
  cpus: Type.Optional(Type.String({ description: 'rps_cpus or xps_cpus as a hexadecimal mask; "0" is off.' })),
  flowCount: optionalInteger('rps_flow_cnt, receive queues only.'),
});
export type LinkQueue = Static<typeof LinkQueue>;

/** A network interface: what it is and how it is set (rtnetlink, ethtool netlink, sysfs). */
export const Link = Type.Object({
  index: Type.Integer(),
  name: Type.String(),
  kind: Type.Optional(
    Type.String({ description: 'IFLA_INFO_KIND: "veth", "bond", "vlan", …; absent for a device of its own.' }),
  ),
  type: Type.String({ description: '"ether", "loopback", "infiniband", or the ARPHRD number.' }),
  up: Type.Boolean({ description: 'IFF_UP' }),
  operState: Type.String({ description: '"up", "down", "unknown", "lower-layer-down", …' }),
  carrier: Type.Optional(Type.Boolean()),
  mtu: Type.Integer(),
  maxMtu: optionalInteger(),
  transmitQueueLength: optionalInteger(),
  master: Type.Optional(Type.String()),
  lower: Type.Optional(Type.String({ description: 'The interface below (vlan, macvlan); not set across namespaces.' })),
  macAddress: Type.Optional(Type.String()),
  rxQueues: optionalInteger(),
  txQueues: optionalInteger(),
  qdisc: Type.Optional(Type.String({ description: 'Root qdisc.' })),
  gsoMaxBytes: optionalInteger(),
  driver: Type.Optional(Type.String()),
  firmware: Type.Optional(Type.String()),
  bus: Type.Optional(Type.String({ description: 'Bus address, "0000:01:00.0".' })),
  speedMbps: optionalInteger(),
  supportedSpeedMbps: optionalInteger('The fastest of the supported link modes.'),
  duplex: Type.Optional(Type.Union([Type.Literal('full'), Type.Literal('half')])),
  autoNegotiation: Type.Optional(Type.Boolean()),
  partnerModes: Type.Optional(
    Type.Array(Type.String(), { description: 'What the link partner advertises, "25000baseCR/Full", "Pause", …' }),
  ),
  downReason: Type.Optional(Type.String({ description: 'Why there is no link: "no cable", "overheat", …' })),
  signalQuality: optionalInteger('SQI, of signalQualityMax.'),
  signalQualityMax: optionalInteger(),
  errorCorrection: Type.Optional(Type.String({ description: 'FEC in use: "RS", "BASER", "None".' })),
  rings: Type.Optional(
    Type.Object({
      rx: optionalInteger(),
      rxMax: optionalInteger(),
      tx: optionalInteger(),
      txMax: optionalInteger(),
      dataSplit: Type.Optional(
        Type.Boolean({
          description:
            'Header split (ETHTOOL_A_RINGS_TCP_DATA_SPLIT): on or off; absent when the driver does not tell or cannot.',
        }),
      ),
    }),
  ),
  channels: Type.Optional(
    Type.Object({
      rx: optionalInteger(),
      rxMax: optionalInteger(),
      tx: optionalInteger(),
      txMax: optionalInteger(),
      combined: optionalInteger(),
      combinedMax: optionalInteger(),
    }),
  ),
  coalescing: Type.Optional(
    Type.Object({
      rxUsecs: optionalInteger(),
      rxFrames: optionalInteger(),
      txUsecs: optionalInteger(),
      txFrames: optionalInteger(),
      adaptiveRx: Type.Optional(Type.Boolean()),
      adaptiveTx: Type.Optional(Type.Boolean()),
    }),
  ),
  features: Type.Optional(
    Type.Record(Type.String(), Type.Object({ on: Type.Boolean(), changeable: Type.Boolean() }), {
      description:
        'By the kernel\'s names, as `ethtool -k` does below its legacy names: "rx-gro", "tx-tcp-segmentation", …',
    }),
  ),
  rss: Type.Optional(
    Type.Object({
      hashFunction: Type.Optional(Type.String()),
      tableSize: optionalInteger('Entries of the indirection table.'),
      queuesUsed: optionalInteger('Different queues in the table.'),
    }),
  ),
  pause: Type.Optional(
    Type.Object({
      autoNegotiation: Type.Optional(Type.Boolean()),
      rx: Type.Optional(Type.Boolean()),
      tx: Type.Optional(Type.Boolean()),
    }),
  ),
  timestamping: Type.Optional(
    Type.Object({
      hardwareTransmit: Type.Boolean(),
      hardwareReceive: Type.Boolean(),
      clockIndex: optionalInteger('The PTP hardware clock; absent when there is none.'),
    }),
  ),
  xdp: Type.Optional(
    Type.Object(
      { features: Type.Array(Type.String()), attached: Type.Optional(Type.String()) },
      {
        description:
          'From the netdev family: "basic", "redirect", "ndo-xmit", "xsk-zerocopy", "hw-offload", "rx-sg", "ndo-xmit-sg".',
      },
    ),
  ),
  numaNode: optionalInteger('-1 is not reported: absent when the device has none.'),
  pcie: Type.Optional(
    Type.Object({
      speedGts: Type.Optional(Type.Number()),
      maxSpeedGts: Type.Optional(Type.Number()),
      width: optionalInteger(),
      maxWidth: optionalInteger(),
    }),
  ),
  irqs: Type.Optional(Type.Array(DeviceIrq)),
  rxQueueList: Type.Optional(Type.Array(LinkQueue)),
  txQueueList: Type.Optional(Type.Array(LinkQueue)),
  groFlushTimeoutNs: optionalInteger(),
  napiDeferHardIrqs: optionalInteger(),
  threadedNapi: Type.Optional(Type.Boolean()),
  bond: Type.Optional(
    Type.Object({
      mode: Type.String(),
      members: Type.Array(
        Type.Object({ name: Type.String(), up: Type.Boolean(), active: Type.Optional(Type.Boolean()) }),
      ),
    }),
  ),
});
export type Link = Static<typeof Link>;

/** The counters of one interface. */
export const LinkCounters = Type.Object({
  name: Type.String(),
  operState: Type.Optional(Type.String({ description: 'As in Link, at this moment.' })),
  standard: Type.Record(Type.String(), Type.Number(), {
    description: 'rtnl_link_stats64: "rx_packets", "rx_bytes", "rx_dropped", "rx_missed_errors", "tx_errors", …',
  }),
  driver: Type.Optional(
    Type.Record(Type.String(), Type.Number(), {
      description: 'As `ethtool -S` prints them, names as the driver gives them.',
    }),
  ),
  queues: Type.Optional(
    Type.Array(
      Type.Object({
        direction: Type.Union([Type.Literal('rx'), Type.Literal('tx')]),
        index: Type.Integer(),
        packets: Type.Optional(Type.Number()),
        bytes: Type.Optional(Type.Number()),
        drops: Type.Optional(Type.Number()),
      }),
      { description: 'From the netdev family (NETDEV_CMD_QSTATS_GET), of drivers that have it.' },
    ),
  ),
  pause: Type.Optional(Type.Object({ rxFrames: optionalInteger(), txFrames: optionalInteger() })),
  qdiscs: Type.Array(
    Type.Object({
      kind: Type.String(),
      handle: Type.String({ description: '"8001:"' }),
      parent: Type.String({ description: '"root", "ingress", or the class, "1:1"' }),
      bytes: Type.Number(),
      packets: Type.Integer(),
      drops: Type.Integer(),
      overlimits: Type.Integer(),
      requeues: Type.Integer(),
      backlogBytes: Type.Integer(),
      backlogPackets: Type.Integer(),
    }),
  ),
});
export type LinkCounters = Static<typeof LinkCounters>;

/** An address of an interface. */
export const Address = Type.Object({
  interface: Type.String(),
  family: Type.Union([Type.Literal('inet'), Type.Literal('inet6')]),
  address: Type.String(),
  prefixLength: Type.Integer(),
  scope: Type.String({ description: '"global", "site", "link", "host"' }),
});
export type Address = Static<typeof Address>;

/** A unicast route of the main table. */
export const Route = Type.Object({
  family: Type.Union([Type.Literal('inet'), Type.Literal('inet6')]),
  destination: Type.String({ description: '"default" or ADDR/LEN' }),
  gateway: Type.Optional(Type.String()),
  interface: Type.Optional(Type.String()),
  source: Type.Optional(Type.String({ description: 'Preferred source address.' })),
  metric: optionalInteger(),
  nextHops: Type.Optional(Type.Integer({ description: 'Next hops of a multipath route.' })),
  congestionControl: Type.Optional(Type.String({ description: 'RTAX_CC_ALGO' })),
  initialCwnd: optionalInteger('RTAX_INITCWND'),
});
export type Route = Static<typeof Route>;
