import { type Static, Type } from '@sinclair/typebox';
import { Address, Link, LinkCounters, Route } from './links.js';
import { SocketDigest } from './sockets.js';

/** What does not change within a window. */
export const NetnsFacts = Type.Object({
  id: Type.String({ description: 'Inode number of the namespace, as `readlink /proc/PID/ns/net` shows it.' }),
  name: Type.Optional(Type.String({ description: 'Its name below /run/netns, where it has one.' })),
  initial: Type.Optional(
    Type.Boolean({
      description:
        'Whether it is the initial one (that of pid 1 outside any container); absent when that cannot be told.',
    }),
  ),
  current: Type.Boolean({ description: 'Whether sockdoc itself runs in it.' }),
  sysctls: Type.Record(Type.String(), Type.String(), {
    description: 'net.* as sysctl(8) names them ("net.ipv4.tcp_rmem"), values trimmed, inner tabs as one space.',
  }),
  links: Type.Array(Link),
  addresses: Type.Array(Address),
  routes: Type.Array(Route, { description: 'The main table, at most 1000.' }),
});
export type NetnsFacts = Static<typeof NetnsFacts>;

export const Conntrack = Type.Object({
  count: Type.Integer(),
  max: Type.Integer(),
  statistics: Type.Record(Type.String(), Type.Integer(), {
    description: 'Sums over the CPUs of /proc/net/stat/nf_conntrack: "drop", "early_drop", "insert_failed", …',
  }),
});
export type Conntrack = Static<typeof Conntrack>;

/** A neighbour table (arp_cache, ndisc_cache). */
export const NeighbourTable = Type.Object({
  family: Type.Union([Type.Literal('inet'), Type.Literal('inet6')]),
  entries: Type.Integer(),
  threshold3: Type.Optional(
    Type.Integer({ description: 'gc_thresh3; host-wide, shown in the initial namespace only.' }),
  ),
  statistics: Type.Record(Type.String(), Type.Integer(), {
    description: '/proc/net/stat/arp_cache, summed over the CPUs.',
  }),
});
export type NeighbourTable = Static<typeof NeighbourTable>;

/** What moves. */
export const NetnsReading = Type.Object({
  id: Type.String(),
  counters: Type.Record(Type.String(), Type.Number(), {
    description:
      'As nstat(8) names them: "TcpRetransSegs", "TcpExtListenOverflows", "IpReasmFails", "Udp6RcvbufErrors", "MPTcpExtMPCapableSYNRX". From /proc/net/{snmp,netstat,snmp6}. A name that the kernel lacks is absent.',
  }),
  sockstat: Type.Record(Type.String(), Type.Integer(), {
    description:
      '/proc/net/sockstat and sockstat6: "TCP.inuse", "TCP.orphan", "TCP.tw", "TCP.mem" (pages), "UDP.mem", "sockets.used", "TCP6.inuse".',
  }),
  conntrack: Type.Optional(Conntrack),
  neighbours: Type.Array(NeighbourTable),
  links: Type.Array(LinkCounters),
  sockets: Type.Optional(SocketDigest),
});
export type NetnsReading = Static<typeof NetnsReading>;
