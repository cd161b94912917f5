import { type Static, Type } from '@sinclair/typebox';
import { Gap } from '../gap.js';

/** Counts in buckets of powers of two: bucket i holds [2^i, 2^(i+1)) µs, bucket 0 also what is shorter. */
export const Histogram = Type.Object({
  unit: Type.Literal('us'),
  counts: Type.Array(Type.Integer()),
  total: Type.Integer(),
  sumUs: Type.Optional(Type.Number()),
  maxUs: Type.Optional(Type.Number()),
});
export type Histogram = Static<typeof Histogram>;

export const CpuRow = Type.Object({
  cpu: Type.Integer(),
  busyShare: Type.Optional(Type.Number({ description: '0 to 1, of the window.' })),
  softirqShare: Type.Optional(Type.Number()),
  stealShare: Type.Optional(Type.Number()),
  runQueueLength: Type.Optional(
    Type.Number({
      description:
        'Threads that ran or waited, on average over the window: busy time and run-queue delay by time. From BPF only.',
    }),
  ),
  switchesPerS: Type.Optional(Type.Number({ description: 'From BPF only, as what follows.' })),
  migrationsPerS: Type.Optional(Type.Number({ description: 'Threads that came here from another CPU.' })),
  runDelay: Type.Optional(Histogram),
});
export type CpuRow = Static<typeof CpuRow>;

export const ThreadRow = Type.Object({
  pid: Type.Integer(),
  tid: Type.Integer(),
  comm: Type.String(),
  process: Type.String({ description: "Its process's name." }),
  servesSockets: Type.Boolean(),
  state: Type.String(),
  cpu: Type.Integer(),
  cpuShare: Type.Optional(Type.Number()),
  runDelayMsPerS: Type.Optional(Type.Number()),
  meanDelayUs: Type.Optional(Type.Number({ description: 'Run-queue delay by time slice, both of schedstat.' })),
  maxDelayUs: Type.Optional(Type.Number({ description: 'From BPF; of threads that serve sockets or were asked for.' })),
  voluntarySwitchesPerS: Type.Optional(Type.Number()),
  involuntarySwitchesPerS: Type.Optional(Type.Number()),
  migrationsPerS: Type.Optional(Type.Number({ description: 'To another CPU; as maxDelayUs.' })),
  waitChannel: Type.Optional(Type.String()),
  call: Type.Optional(Type.String({ description: 'The system call it is blocked in.' })),
  runDelay: Type.Optional(Histogram),
});
export type ThreadRow = Static<typeof ThreadRow>;

/** What the scheduler did over the window. */
export const SchedulerView = Type.Object({
  source: Type.Union([Type.Literal('bpf'), Type.Literal('procfs')], {
    description: 'bpf: sched tracepoints, every wake-up. procfs: sums per thread, without histograms.',
  }),
  runDelay: Type.Optional(Histogram),
  wakeupLatency: Type.Optional(Histogram),
  runnable: Type.Optional(
    Type.Integer({
      description: 'Running or waiting at this moment (procs_running of /proc/stat), ourselves included.',
    }),
  ),
  switchesPerS: Type.Optional(Type.Number()),
  cpus: Type.Array(CpuRow),
  threads: Type.Array(ThreadRow, { description: 'Those that serve sockets first, then by run-queue delay.' }),
  threadsLeftOut: Type.Integer(),
});
export type SchedulerView = Static<typeof SchedulerView>;

export const SchedulerDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('sched'),
    version: Type.String(),
    takenAt: Type.String(),
    windowMs: Type.Number(),
    scheduler: SchedulerView,
    gaps: Type.Array(Gap),
  },
  { $id: 'sched', title: 'sockdoc sched --json' },
);
export type SchedulerDocument = Static<typeof SchedulerDocument>;
