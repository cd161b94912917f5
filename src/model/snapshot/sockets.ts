import { type Static, Type } from '@sinclair/typebox';

/** A process that holds a socket, and by which descriptor. */
export const Owner = Type.Object({
  pid: Type.Integer(),
  comm: Type.String(),
  fd: Type.Integer(),
});
export type Owner = Static<typeof Owner>;

/** TCP state names as in ss's filter: "established", "syn-sent", "close-wait", "listen", … */
export const TcpState = Type.Union(
  [
    'established',
    'syn-sent',
    'syn-recv',
    'fin-wait-1',
    'fin-wait-2',
    'time-wait',
    'close',
    'close-wait',
    'last-ack',
    'listen',
    'closing',
    'new-syn-recv',
    'bound-inactive',
  ].map((s) => Type.Literal(s)),
);
export type TcpState =
  | 'established'
  | 'syn-sent'
  | 'syn-recv'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'time-wait'
  | 'close'
  | 'close-wait'
  | 'last-ack'
  | 'listen'
  | 'closing'
  | 'new-syn-recv'
  | 'bound-inactive';

/** Socket memory (INET_DIAG_SKMEMINFO, linux/sock_diag.h), bytes; `drops` in packets. */
export const SocketMemory = Type.Object({
  receiveAlloc: Type.Integer(),
  receiveBuffer: Type.Integer(),
  sendAlloc: Type.Integer(),
  sendBuffer: Type.Integer(),
  forwardAlloc: Type.Integer(),
  sendQueued: Type.Integer(),
  optionMemory: Type.Integer(),
  backlog: Type.Integer(),
  drops: Type.Integer({ description: 'sk_drops since the socket was made (SK_MEMINFO_DROPS).' }),
});
export type SocketMemory = Static<typeof SocketMemory>;

/** A process that holds connections accepted on a listener's port. */
export const ServingProcess = Type.Object({
  pid: Type.Integer(),
  ppid: Type.Integer(),
  comm: Type.String(),
  connections: Type.Integer(),
});
export type ServingProcess = Static<typeof ServingProcess>;

/** A listening TCP socket. Every listener is reported. */
export const Listener = Type.Object({
  local: Type.String({ description: 'ADDR:PORT or [v6]:PORT; "*" is not used, 0.0.0.0 and [::] are.' }),
  port: Type.Integer(),
  interface: Type.Optional(Type.String({ description: 'Bound device, where there is one.' })),
  cookie: Type.String({ description: 'Hexadecimal, as ss -e shows it ("sk:").' }),
  inode: Type.Integer(),
  uid: Type.Integer(),
  queue: Type.Integer({ description: 'Connections waiting for accept() (idiag_rqueue).' }),
  backlog: Type.Integer({ description: 'The clamped backlog (idiag_wqueue).' }),
  drops: Type.Optional(
    Type.Integer({ description: 'sk_drops: connections refused at this listener since it was made.' }),
  ),
  synReceived: Type.Integer({ description: 'Embryonic connections (SYN_RECV) aimed at it now.' }),
  owners: Type.Array(Owner, { description: 'At most 64, see ownerCount.' }),
  ownerCount: Type.Integer({ description: 'Processes that hold it, without the limit.' }),
  connections: Type.Integer({
    description: 'Connections now, not TIME_WAIT, whose local port and address are its own.',
  }),
  serving: Type.Array(ServingProcess, { description: 'At most 64 processes, most connections first.' }),
  servingCount: Type.Integer({ description: 'How many processes serve, without the limit.' }),
});
export type Listener = Static<typeof Listener>;

/** What a connection moved and suffered between the first and the last reading. */
export const ConnectionWindow = Type.Object({
  ms: Type.Number(),
  bytesSent: Type.Optional(Type.Integer()),
  bytesReceived: Type.Optional(Type.Integer()),
  segmentsOut: Type.Optional(Type.Integer()),
  segmentsIn: Type.Optional(Type.Integer()),
  dataSegmentsOut: Type.Optional(Type.Integer()),
  dataSegmentsIn: Type.Optional(Type.Integer()),
  retransmits: Type.Optional(Type.Integer()),
  busyUs: Type.Optional(Type.Integer()),
  receiveWindowLimitedUs: Type.Optional(Type.Integer()),
  sendBufferLimitedUs: Type.Optional(Type.Integer()),
  drops: Type.Optional(Type.Integer()),
  cwndSegmentsFirst: Type.Optional(Type.Integer({ description: 'The congestion window at the first reading.' })),
  opened: Type.Optional(
    Type.Boolean({ description: 'It began within the window: these numbers are its own since then.' }),
  ),
});
export type ConnectionWindow = Static<typeof ConnectionWindow>;

/**
 * Socket options that sock_diag does not show, read through a duplicate of the descriptor (pidfd_getfd) for the
 * few rows where a check needs them. Absent where that was not permitted.
 */
export const SocketOptions = Type.Object({
  noDelay: Type.Optional(Type.Boolean()),
  receiveBufferLocked: Type.Optional(Type.Boolean({ description: 'SO_RCVBUF was set (SO_BUF_LOCK, Linux 5.15).' })),
  sendBufferLocked: Type.Optional(Type.Boolean()),
  zeroCopy: Type.Optional(Type.Boolean()),
  keepAlive: Type.Optional(Type.Boolean()),
  keepIdleS: Type.Optional(Type.Integer()),
  notSentLowWaterBytes: Type.Optional(
    Type.Integer({ description: 'TCP_NOTSENT_LOWAT; 0 means the namespace default, 4294967295 no limit.' }),
  ),
  incomingCpu: Type.Optional(Type.Integer({ description: 'SO_INCOMING_CPU; -1 when unknown to the kernel.' })),
  busyPollUs: Type.Optional(Type.Integer()),
});
export type SocketOptions = Static<typeof SocketOptions>;

/**
 * Why a connection was picked into the bounded list; each reason keeps its 20 worst. Over the window where there are
 * two readings, else since the connection began. Sockets of sockdoc itself are never picked.
 *
 * - traffic: moved payload bytes (ranked by them)
 * - drops: sk_drops above zero (by growth, then total)
 * - retransmits: retransmitted segments
 * - receive-window-limited, send-buffer-limited: at least 1 % of the time (of busy time with one reading); by that time
 * - not-sent: bytes written that TCP has not sent yet (by bytes)
 * - unread: bytes that the program has not read yet (by bytes)
 * - small-unacked: a small segment waits behind an unacknowledged one now, or data segments below half an MSS were each
 *   in flight for 20 ms and more on a path whose minimum RTT is shorter than that (by busy time)
 * - idle-restart: the congestion window fell without a retransmission, as after idling (by segments lost)
 * - close-wait: the peer has closed, the program has not (by time since data last came)
 * - asked: held by a process that was asked for; at most 10,000
 */
export const PickReason = Type.Union(
  [
    'traffic',
    'drops',
    'retransmits',
    'receive-window-limited',
    'send-buffer-limited',
    'not-sent',
    'unread',
    'small-unacked',
    'idle-restart',
    'close-wait',
    'silent',
    'asked',
  ].map((s) => Type.Literal(s)),
);
export type PickReason =
  | 'traffic'
  | 'drops'
  | 'retransmits'
  | 'receive-window-limited'
  | 'send-buffer-limited'
  | 'not-sent'
  | 'unread'
  | 'small-unacked'
  | 'idle-restart'
  | 'close-wait'
  | 'silent'
  | 'asked';

/**
 * One TCP connection, from sock_diag (linux/inet_diag.h, tcp_info of linux/tcp.h). Fields that this kernel's
 * tcp_info is too short for are absent.
 */
export const Connection = Type.Object({
  local: Type.String(),
  remote: Type.String(),
  state: TcpState,
  cookie: Type.String(),
  inode: Type.Integer(),
  uid: Type.Integer(),
  pid: Type.Optional(Type.Integer()),
  comm: Type.Optional(Type.String()),
  fd: Type.Optional(Type.Integer()),
  ownerCount: Type.Integer(),
  interface: Type.Optional(Type.String()),
  picked: Type.Array(PickReason),
  sendQueueBytes: Type.Integer(),
  recvQueueBytes: Type.Integer(),
  rttUs: Type.Optional(Type.Integer()),
  rttVarUs: Type.Optional(Type.Integer()),
  minRttUs: Type.Optional(Type.Integer()),
  receiveRttUs: Type.Optional(Type.Integer({ description: 'tcpi_rcv_rtt' })),
  rtoUs: Type.Optional(Type.Integer()),
  cwndSegments: Type.Optional(Type.Integer()),
  ssthreshSegments: Type.Optional(Type.Integer()),
  mssBytes: Type.Optional(Type.Integer()),
  pmtuBytes: Type.Optional(Type.Integer()),
  receiveSpaceBytes: Type.Optional(Type.Integer()),
  sendWindowBytes: Type.Optional(Type.Integer({ description: 'tcpi_snd_wnd: the window that the peer offers.' })),
  receiveWindowBytes: Type.Optional(Type.Integer({ description: 'tcpi_rcv_wnd: the window that we offer.' })),
  unackedSegments: Type.Optional(Type.Integer()),
  lostSegments: Type.Optional(Type.Integer()),
  notSentBytes: Type.Optional(Type.Integer()),
  retransmits: Type.Optional(Type.Integer({ description: 'tcpi_total_retrans' })),
  backoff: Type.Optional(Type.Integer({ description: 'Consecutive timeouts now (tcpi_backoff).' })),
  bytesSent: Type.Optional(Type.Integer()),
  bytesRetransmitted: Type.Optional(Type.Integer()),
  bytesAcked: Type.Optional(Type.Integer()),
  bytesReceived: Type.Optional(Type.Integer()),
  segmentsOut: Type.Optional(Type.Integer()),
  segmentsIn: Type.Optional(Type.Integer()),
  deliveryRateBps: Type.Optional(Type.Number({ description: 'Bytes per second × 8.' })),
  applicationLimited: Type.Optional(Type.Boolean({ description: 'tcpi_delivery_rate_app_limited' })),
  busyUs: Type.Optional(Type.Integer()),
  receiveWindowLimitedUs: Type.Optional(Type.Integer()),
  sendBufferLimitedUs: Type.Optional(Type.Integer()),
  lastDataSentMs: Type.Optional(Type.Integer()),
  lastDataReceivedMs: Type.Optional(Type.Integer()),
  lastAckReceivedMs: Type.Optional(Type.Integer()),
  windowScaleSend: Type.Optional(Type.Integer()),
  windowScaleReceive: Type.Optional(Type.Integer()),
  tcpOptions: Type.Optional(
    Type.Array(Type.String(), {
      description: 'Negotiated: "timestamps", "sack", "wscale", "ecn", "ecn-seen", "syn-data".',
    }),
  ),
  congestionControl: Type.Optional(Type.String()),
  caState: Type.Optional(Type.String({ description: '"open", "disorder", "cwr", "recovery", "loss"' })),
  memory: Type.Optional(SocketMemory),
  options: Type.Optional(SocketOptions),
  window: Type.Optional(ConnectionWindow),
});
export type Connection = Static<typeof Connection>;

/** One UDP socket of the bounded list: those that dropped, then those with the fullest queue. */
export const UdpSocket = Type.Object({
  local: Type.String(),
  remote: Type.Optional(Type.String({ description: 'Where it is connected.' })),
  inode: Type.Integer(),
  cookie: Type.String(),
  uid: Type.Integer(),
  pid: Type.Optional(Type.Integer()),
  comm: Type.Optional(Type.String()),
  fd: Type.Optional(Type.Integer()),
  recvQueueBytes: Type.Integer(),
  sendQueueBytes: Type.Integer(),
  memory: Type.Optional(SocketMemory),
  windowDrops: Type.Optional(Type.Integer({ description: 'Growth of memory.drops over the window.' })),
});
export type UdpSocket = Static<typeof UdpSocket>;

/** A listening or a datagram UNIX socket with a queue. */
export const UnixSocket = Type.Object({
  path: Type.String({ description: 'The path, "@name" for the abstract namespace, "" when unbound.' }),
  type: Type.Union([Type.Literal('stream'), Type.Literal('dgram'), Type.Literal('seqpacket')]),
  inode: Type.Integer(),
  listening: Type.Boolean(),
  queue: Type.Integer({
    description:
      'Listening: connections waiting; dgram: bytes of the next datagram alone, since the kernel shows neither their number nor their sum (udiag_rqueue).',
  }),
  backlog: Type.Optional(Type.Integer({ description: 'Listening: the backlog (udiag_wqueue).' })),
  memory: Type.Optional(SocketMemory),
  pid: Type.Optional(Type.Integer()),
  comm: Type.Optional(Type.String()),
  fd: Type.Optional(Type.Integer()),
});
export type UnixSocket = Static<typeof UnixSocket>;

/** Local ports in use from one source address to one destination: what uses the ephemeral range up. */
export const PortUse = Type.Object({
  source: Type.String(),
  destination: Type.String(),
  destinationPort: Type.Integer(),
  inUse: Type.Integer({
    description: 'Connections of this tuple with a local port inside ip_local_port_range, TIME_WAIT included.',
  }),
  timeWait: Type.Integer(),
  pid: Type.Optional(Type.Integer({ description: 'The process that holds most of them.' })),
  comm: Type.Optional(Type.String()),
});
export type PortUse = Static<typeof PortUse>;

/** Two processes of this host that talk to each other over TCP, with what they moved (both directions together). */
export const LocalPair = Type.Object({
  client: Type.Object({ pid: Type.Integer(), comm: Type.String() }),
  server: Type.Object({ pid: Type.Integer(), comm: Type.String(), port: Type.Integer() }),
  connections: Type.Integer(),
  bytes: Type.Integer({ description: 'Over the window, or since they connected where there is no window.' }),
  segments: Type.Integer({ description: 'Data segments, likewise.' }),
  windowMs: Type.Optional(Type.Number()),
});
export type LocalPair = Static<typeof LocalPair>;

/** All sockets of one network namespace, digested natively so that 100,000 of them stay cheap. */
export const SocketDigest = Type.Object({
  tcp: Type.Record(Type.String(), Type.Integer(), { description: 'Sockets per TCP state.' }),
  tcpTotal: Type.Integer(),
  udpTotal: Type.Integer(),
  unixTotal: Type.Integer(),
  listeners: Type.Array(Listener),
  ports: Type.Array(PortUse, { description: 'The 50 largest.' }),
  connections: Type.Array(Connection, { description: 'Bounded: the worst 20 for each pick reason.' }),
  pickedCounts: Type.Record(Type.String(), Type.Integer(), {
    description: 'For each pick reason, how many connections met it, without the bound.',
  }),
  udp: Type.Array(UdpSocket),
  unix: Type.Array(UnixSocket, {
    description: 'All that listen, and datagram sockets with something queued; at most 500.',
  }),
  localPairs: Type.Array(LocalPair, { description: 'The 50 busiest.' }),
  zeroCopyUsers: Type.Optional(Type.Integer()),
});
export type SocketDigest = Static<typeof SocketDigest>;
