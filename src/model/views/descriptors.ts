import { type Static, Type } from '@sinclair/typebox';
import { Gap } from '../gap.js';

/** Descriptors of one process, in short. */
export const DescriptorRow = Type.Object({
  pid: Type.Integer(),
  comm: Type.String(),
  uid: Type.Integer(),
  open: Type.Integer(),
  softLimit: Type.Optional(Type.Integer({ description: 'RLIMIT_NOFILE; absent when unlimited or unreadable.' })),
  hardLimit: Type.Optional(Type.Integer()),
  usedShare: Type.Optional(Type.Number({ description: 'open / softLimit' })),
  sockets: Type.Integer(),
  tcp: Type.Integer(),
  udp: Type.Integer(),
  unix: Type.Integer(),
  closeWait: Type.Integer({ description: 'Connections that the peer closed and the process did not.' }),
  epollSets: Type.Optional(Type.Integer()),
  socketsInheritable: Type.Optional(Type.Integer({ description: 'Without CLOEXEC, in a process that has children.' })),
  growthPerS: Type.Optional(Type.Number({ description: 'Of `open`, over the window.' })),
});
export type DescriptorRow = Static<typeof DescriptorRow>;

/** One open descriptor, of `fds PID`. */
export const DescriptorDetail = Type.Object({
  fd: Type.Integer(),
  kind: Type.String({ description: '"tcp", "udp", "unix", "epoll", "pipe", "file", "eventfd", "timerfd", …' }),
  target: Type.String({ description: 'What /proc/PID/fd/N points to.' }),
  cloexec: Type.Optional(Type.Boolean()),
  nonblock: Type.Optional(Type.Boolean()),
  local: Type.Optional(Type.String()),
  remote: Type.Optional(Type.String()),
  state: Type.Optional(Type.String()),
  peer: Type.Optional(Type.Object({ pid: Type.Integer(), comm: Type.String(), fd: Type.Integer() })),
  watches: Type.Optional(
    Type.Array(Type.Object({ fd: Type.Integer(), events: Type.Array(Type.String()) }), {
      description: 'Of an epoll set: what it watches.',
    }),
  ),
  watchedBy: Type.Optional(
    Type.Array(Type.Integer(), { description: 'Epoll descriptors of this process that watch it.' }),
  ),
});
export type DescriptorDetail = Static<typeof DescriptorDetail>;

export const DescriptorsDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('fds'),
    version: Type.String(),
    takenAt: Type.String(),
    windowMs: Type.Number(),
    processes: Type.Array(DescriptorRow),
    descriptors: Type.Optional(Type.Array(DescriptorDetail, { description: 'Of the one process that was asked for.' })),
    gaps: Type.Array(Gap),
  },
  { $id: 'fds', title: 'sockdoc fds --json' },
);
export type DescriptorsDocument = Static<typeof DescriptorsDocument>;
