import { type Static, Type } from '@sinclair/typebox';

/** Descriptors of a process. */
export const DescriptorUse = Type.Object({
  open: Type.Integer(),
  sockets: Type.Integer(),
  highest: Type.Integer({ description: 'The highest descriptor number, -1 when there is none.' }),
  softLimit: Type.Optional(Type.Integer({ description: 'RLIMIT_NOFILE; absent when unlimited or unreadable.' })),
  hardLimit: Type.Optional(Type.Integer()),
  socketsInheritable: Type.Optional(
    Type.Integer({
      description:
        'Sockets above descriptor 2 without CLOEXEC, among the first 256; read at the last reading, for processes that have children.',
    }),
  ),
});
export type DescriptorUse = Static<typeof DescriptorUse>;

/** One epoll set of a process that holds a listener. */
export const EpollSet = Type.Object({
  fd: Type.Integer(),
  watches: Type.Integer(),
  listeners: Type.Array(Type.Object({ inode: Type.Integer(), exclusive: Type.Boolean() })),
});
export type EpollSet = Static<typeof EpollSet>;

/**
 * A process that holds sockets (or was asked for by name). Counters run since it started; a check compares two
 * readings by pid and startTicks.
 */
export const Process = Type.Object({
  pid: Type.Integer(),
  ppid: Type.Integer(),
  comm: Type.String(),
  commandLine: Type.Optional(Type.String()),
  startTicks: Type.Integer({ description: 'Clock ticks after boot (field 22 of /proc/PID/stat).' }),
  uid: Type.Integer(),
  netns: Type.Optional(Type.String({ description: 'Inode number of its network namespace.' })),
  cgroup: Type.Optional(
    Type.String({
      description: 'Its path of the cpu controller where version 1 mounts it, else in the unified hierarchy.',
    }),
  ),
  cgroups: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'Its path per hierarchy: "cpu", "memory" where version 1 mounts them, "unified" for version 2.',
    }),
  ),
  threads: Type.Integer(),
  children: Type.Integer({ description: 'Processes whose parent it is.' }),
  userMs: Type.Optional(Type.Number()),
  systemMs: Type.Optional(Type.Number()),
  runMs: Type.Optional(Type.Number({ description: 'Time on a CPU, all threads (schedstat).' })),
  runDelayMs: Type.Optional(
    Type.Number({ description: 'Time runnable but waiting for a CPU, all threads (schedstat).' }),
  ),
  voluntarySwitches: Type.Optional(Type.Integer()),
  involuntarySwitches: Type.Optional(Type.Integer()),
  descriptors: Type.Optional(DescriptorUse),
  memlockBytes: Type.Optional(
    Type.Integer({ description: 'RLIMIT_MEMLOCK, soft; absent when unlimited or unreadable.' }),
  ),
  memlockUnlimited: Type.Optional(Type.Boolean()),
  cpusAllowed: Type.Optional(Type.String({ description: 'A list as in Cpus_allowed_list, "0-3,8".' })),
  memsAllowed: Type.Optional(Type.String()),
  tcp: Type.Record(Type.String(), Type.Integer(), { description: 'Its TCP sockets per state.' }),
  udp: Type.Integer(),
  unix: Type.Integer(),
  epollSets: Type.Optional(Type.Array(EpollSet)),
  zeroCopy: Type.Optional(Type.Boolean({ description: 'At least one picked socket of it has SO_ZEROCOPY.' })),
});
export type Process = Static<typeof Process>;

/** A thread of a process that holds internet sockets. */
export const Thread = Type.Object({
  pid: Type.Integer(),
  tid: Type.Integer(),
  comm: Type.String(),
  startTicks: Type.Integer(),
  state: Type.String({ description: 'One letter as in /proc/PID/stat: R, S, D, …' }),
  cpu: Type.Integer({ description: 'The CPU it ran on last.' }),
  runMs: Type.Optional(Type.Number()),
  runDelayMs: Type.Optional(Type.Number()),
  timeslices: Type.Optional(Type.Integer()),
  voluntarySwitches: Type.Optional(Type.Integer()),
  involuntarySwitches: Type.Optional(Type.Integer()),
  waitChannel: Type.Optional(
    Type.String({ description: '/proc/PID/task/TID/wchan; absent when not waiting or not shown.' }),
  ),
  call: Type.Optional(
    Type.Object(
      { name: Type.String(), arg0: Type.Integer() },
      {
        description:
          'The system call it is blocked in and its first argument (a descriptor for recv, accept, epoll_wait; nfds for select).',
      },
    ),
  ),
});
export type Thread = Static<typeof Thread>;

/** A thread caught in select() or pselect6() while the window was sampled. */
export const SelectSample = Type.Object({
  pid: Type.Integer(),
  tid: Type.Integer(),
  comm: Type.String(),
  nfds: Type.Integer({ description: 'The first argument: the highest descriptor looked at, plus one.' }),
  samples: Type.Integer(),
});
export type SelectSample = Static<typeof SelectSample>;
