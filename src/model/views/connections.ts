import { type Static, Type } from '@sinclair/typebox';
import { Gap } from '../gap.js';
import { ShortLived } from './short-lived.js';

/** What keeps a connection from sending faster. */
export const LIMITS = ['application', 'receive-window', 'send-buffer', 'congestion'] as const;
export type Limit = (typeof LIMITS)[number];

export const TRANSPORTS = ['kernel', 'shm', 'rdma'] as const;

/** The other end of a connection whose both ends are on this host. */
export const LocalPeer = Type.Object({ pid: Type.Integer(), comm: Type.String(), fd: Type.Integer() });

/** What moved between two readings; absent at a single reading. */
export const ConnectionRates = Type.Object({
  windowMs: Type.Number(),
  sendBps: Type.Optional(Type.Number({ description: 'Payload bits per second, retransmissions not counted.' })),
  receiveBps: Type.Optional(Type.Number()),
  segmentsOutPerS: Type.Optional(Type.Number()),
  segmentsInPerS: Type.Optional(Type.Number()),
  dataSegmentsOutPerS: Type.Optional(Type.Number()),
  dataSegmentsInPerS: Type.Optional(Type.Number()),
  retransmitsPerS: Type.Optional(Type.Number()),
  dropsPerS: Type.Optional(Type.Number()),
});
export type ConnectionRates = Static<typeof ConnectionRates>;

/** One TCP socket. What the kernel does not say, or may not tell us, is absent. Written natively. */
export const ConnectionRow = Type.Object({
  cookie: Type.String({ description: 'sock_diag cookie, hexadecimal: no other socket of this boot has it.' }),
  local: Type.String(),
  remote: Type.String(),
  state: Type.String(),
  pid: Type.Optional(
    Type.Integer({ description: 'Of the process (thread group) that holds it; the first of several.' }),
  ),
  comm: Type.Optional(Type.String()),
  fd: Type.Optional(Type.Integer()),
  ownerCount: Type.Integer({ description: 'Processes that hold it.' }),
  uid: Type.Integer(),
  inode: Type.Integer(),
  netns: Type.Optional(Type.String({ description: 'Name or id, where it is not the namespace that sockdoc runs in.' })),
  container: Type.Optional(Type.String()),
  interface: Type.Optional(Type.String({ description: 'Where it is bound to one.' })),
  rttUs: Type.Optional(Type.Integer()),
  rttVarUs: Type.Optional(Type.Integer()),
  minRttUs: Type.Optional(Type.Integer()),
  retransmits: Type.Optional(Type.Integer({ description: 'Segments, since it began.' })),
  sendQueueBytes: Type.Integer({ description: 'Written but not acknowledged; of a listener: its backlog.' }),
  recvQueueBytes: Type.Integer({ description: 'Not read yet; of a listener: connections that wait.' }),
  notSentBytes: Type.Optional(Type.Integer()),
  bytesSent: Type.Optional(Type.Integer()),
  bytesReceived: Type.Optional(Type.Integer()),
  segmentsOut: Type.Optional(Type.Integer()),
  segmentsIn: Type.Optional(Type.Integer()),
  deliveryRateBps: Type.Optional(Type.Number()),
  cwndSegments: Type.Optional(Type.Integer()),
  mssBytes: Type.Optional(Type.Integer()),
  sendWindowBytes: Type.Optional(Type.Integer()),
  receiveWindowBytes: Type.Optional(Type.Integer()),
  congestionControl: Type.Optional(Type.String()),
  drops: Type.Optional(Type.Integer()),
  idleMs: Type.Optional(
    Type.Integer({ description: 'Since data last moved in either direction; absent where shared memory carries it.' }),
  ),
  ageMs: Type.Optional(Type.Integer({ description: 'Since it began; only known where its beginning was seen.' })),
  limitedBy: Type.Optional(Type.Union(LIMITS.map((limit) => Type.Literal(limit)))),
  peer: Type.Optional(LocalPeer),
  isLocal: Type.Boolean({ description: 'Both ends are on this host.' }),
  transport: Type.Union(TRANSPORTS.map((transport) => Type.Literal(transport))),
  reason: Type.Optional(Type.String({ description: 'Why it is on the kernel.' })),
  rates: Type.Optional(ConnectionRates),
});
export type ConnectionRow = Static<typeof ConnectionRow>;

/** Connections that the same thing carries, for the same reason; listeners and those that are over are none. */
export const CarriedConnections = Type.Object({
  transport: Type.Union(TRANSPORTS.map((transport) => Type.Literal(transport))),
  reason: Type.Optional(Type.String({ description: 'Why it is the kernel.' })),
  connections: Type.Integer(),
  sendBps: Type.Optional(Type.Number()),
  receiveBps: Type.Optional(Type.Number()),
});
export type CarriedConnections = Static<typeof CarriedConnections>;

/** Sums over all sockets that were read, those beyond `limit` and outside the filter too. Absent where none could be read. */
export const ConnectionTotals = Type.Object({
  sockets: Type.Integer(),
  states: Type.Record(Type.String(), Type.Integer()),
  matching: Type.Integer({ description: 'Rows that met the selection, before the limit.' }),
  sendBps: Type.Optional(Type.Number()),
  receiveBps: Type.Optional(Type.Number()),
  retransmitsPerS: Type.Optional(Type.Number()),
  dataSegmentsPerS: Type.Optional(Type.Number({ description: 'With data, both ways.' })),
  transports: Type.Optional(
    Type.Array(CarriedConnections, { description: 'All connections, whatever the filter; absent in old recordings.' }),
  ),
});
export type ConnectionTotals = Static<typeof ConnectionTotals>;

export const ConnectionsDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('conns'),
    version: Type.String(),
    takenAt: Type.String(),
    windowMs: Type.Number({ description: '0: read once.' }),
    totals: Type.Optional(ConnectionTotals),
    connections: Type.Array(ConnectionRow),
    shortLived: Type.Optional(ShortLived),
    gaps: Type.Array(Gap),
  },
  { $id: 'conns', title: 'sockdoc conns --json' },
);
export type ConnectionsDocument = Static<typeof ConnectionsDocument>;
