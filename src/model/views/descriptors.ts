import { type Static, Type } from '@sinclair/typebox';
import { Gap } from '../gap.js';

const optionalInteger = (description?: string) => Type.Optional(Type.Integer(description ? { description } : {}));

/** What may be a leak, or become one; each is a fact with its number, not a verdict. */
export const SUSPICIONS = [
  'near-limit',
  'growth',
  'close-wait',
  'unconnected',
  'not-watched',
  'inheritable',
  'deleted-files',
] as const;
export type Suspicion = (typeof SUSPICIONS)[number];

export const DescriptorSuspicion = Type.Object({
  what: Type.Union(SUSPICIONS.map((what) => Type.Literal(what))),
  count: Type.Integer({ description: 'Descriptors that it is about.' }),
  text: Type.String({ description: 'One sentence, for people.' }),
});
export type DescriptorSuspicion = Static<typeof DescriptorSuspicion>;

/** Descriptors of one process, in short. */
export const DescriptorRow = Type.Object({
  pid: Type.Integer(),
  comm: Type.String(),
  uid: Type.Integer(),
  netns: Type.Optional(Type.String({ description: 'Inode number of its network namespace.' })),
  open: Type.Integer(),
  softLimit: Type.Optional(Type.Integer({ description: 'RLIMIT_NOFILE; absent when unlimited or unreadable.' })),
  hardLimit: Type.Optional(Type.Integer()),
  usedShare: Type.Optional(Type.Number({ description: 'open / softLimit' })),
  highest: optionalInteger('The highest descriptor number: select() cannot go beyond 1023.'),
  sockets: Type.Integer(),
  // Absent where the sockets of its network namespace could not be read.
  tcp: optionalInteger(),
  udp: optionalInteger(),
  unix: optionalInteger(),
  closeWait: optionalInteger('Connections that the peer closed and the process did not.'),
  epollSets: Type.Optional(Type.Integer()),
  kinds: Type.Optional(
    Type.Record(Type.String(), Type.Integer(), { description: 'Descriptors by kind, as in DescriptorDetail.' }),
  ),
  socketsInheritable: Type.Optional(Type.Integer({ description: 'Without CLOEXEC, in a process that has children.' })),
  growthPerS: Type.Optional(Type.Number({ description: 'Of `open`, over the window.' })),
  growthByKind: Type.Optional(
    Type.Record(Type.String(), Type.Integer(), {
      description: 'Change over the window, kinds that did not change left out.',
    }),
  ),
  suspicions: Type.Optional(Type.Array(DescriptorSuspicion)),
});
export type DescriptorRow = Static<typeof DescriptorRow>;

export const EpollWatch = Type.Object({
  fd: Type.Integer({ description: 'As it was numbered when it was added.' }),
  events: Type.Array(Type.String(), {
    description:
      '"EPOLLIN", "EPOLLET", "EPOLLEXCLUSIVE", …; EPOLLERR and EPOLLHUP, which are always watched, left out.',
  }),
  stale: Type.Optional(
    Type.Boolean({
      description:
        'The process has no such descriptor any more, or it is another file: the file is open elsewhere, and its events still come.',
    }),
  ),
});
export type EpollWatch = Static<typeof EpollWatch>;

/** The other end, when it is a descriptor of this host that may be seen. */
export const DescriptorPeer = Type.Object({ pid: Type.Integer(), comm: Type.String(), fd: Type.Integer() });

/** One open descriptor, of `fds PID`. */
export const DescriptorDetail = Type.Object({
  fd: Type.Integer(),
  kind: Type.String({ description: '"tcp", "udp", "unix", "epoll", "pipe", "file", "eventfd", "timerfd", …' }),
  target: Type.String({ description: 'What /proc/PID/fd/N points to.' }),
  access: Type.Optional(
    Type.Union([Type.Literal('read'), Type.Literal('write'), Type.Literal('both')], {
      description: 'What it was opened for.',
    }),
  ),
  cloexec: Type.Optional(Type.Boolean()),
  nonblock: Type.Optional(Type.Boolean()),
  protocol: Type.Optional(
    Type.String({ description: 'Of a socket, as the kernel names it: "TCP", "UDPv6", "UNIX-STREAM", "NETLINK".' }),
  ),
  local: Type.Optional(
    Type.String({ description: 'ADDR:PORT, or the path of a UNIX socket ("@" for an abstract one).' }),
  ),
  remote: Type.Optional(Type.String()),
  state: Type.Optional(Type.String({ description: 'As conns has it; "unconnected" before bind() and connect().' })),
  recvQueueBytes: optionalInteger(),
  sendQueueBytes: optionalInteger(),
  peer: Type.Optional(DescriptorPeer),
  peers: optionalInteger('Descriptors that hold the other end, where that is not one.'),
  sharedWith: Type.Optional(
    Type.Array(Type.Integer(), {
      description: 'Other processes that hold the same socket or the same end of the pipe, at most 16.',
    }),
  ),
  watches: Type.Optional(Type.Array(EpollWatch, { description: 'Of an epoll set: what it watches.' })),
  watchedBy: Type.Optional(
    Type.Array(Type.Integer(), { description: 'Epoll descriptors of this process that watch it.' }),
  ),
  info: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'What fdinfo says of its kind: "eventfd-count", "it_interval", "Pid", …',
    }),
  ),
});
export type DescriptorDetail = Static<typeof DescriptorDetail>;

/** Of the whole host: open files, each counted once however many descriptors refer to it. */
export const FileLimits = Type.Object({
  open: Type.Integer({ description: 'fs.file-nr' }),
  max: Type.Number({ description: 'fs.file-max' }),
  perProcessMax: optionalInteger('fs.nr_open: no RLIMIT_NOFILE can be above it.'),
});

export const DescriptorsDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('fds'),
    version: Type.String(),
    takenAt: Type.String(),
    windowMs: Type.Number(),
    host: Type.Optional(FileLimits),
    matching: Type.Integer({ description: 'Processes that were selected, before the limit.' }),
    processes: Type.Array(DescriptorRow),
    descriptors: Type.Optional(Type.Array(DescriptorDetail, { description: 'Of the one process that was asked for.' })),
    gaps: Type.Array(Gap),
  },
  { $id: 'fds', title: 'sockdoc fds --json' },
);
export type DescriptorsDocument = Static<typeof DescriptorsDocument>;
