import { type Static, Type } from '@sinclair/typebox';

/** A process that holds sockets. Rates and shares are over the window, absent at a single reading. */
export const ProcessRow = Type.Object({
  pid: Type.Integer(),
  ppid: Type.Integer(),
  comm: Type.String(),
  commandLine: Type.Optional(Type.String()),
  uid: Type.Integer(),
  netns: Type.Optional(Type.String()),
  container: Type.Optional(Type.String()),
  cgroup: Type.Optional(Type.String()),
  threads: Type.Integer(),
  connections: Type.Integer({ description: 'TCP sockets that are not listeners.' }),
  listeners: Type.Integer(),
  udp: Type.Integer(),
  unix: Type.Integer(),
  descriptors: Type.Optional(Type.Integer()),
  descriptorLimit: Type.Optional(Type.Integer({ description: 'RLIMIT_NOFILE, soft.' })),
  cpuShare: Type.Optional(Type.Number({ description: 'CPU time by wall time: 1.0 is one whole CPU.' })),
  kernelShare: Type.Optional(Type.Number({ description: 'Of its CPU time, the share in the kernel (0 to 1).' })),
  socketShare: Type.Optional(
    Type.Number({ description: 'Of its CPU time, the share in socket system calls and epoll (0 to 1), from samples.' }),
  ),
  socketUpkeepShare: Type.Optional(
    Type.Number({
      description:
        'Of its CPU time, the part of socketShare that is not about bytes: sockets made, connected, accepted and closed, their options.',
    }),
  ),
  asideShare: Type.Optional(
    Type.Number({
      description: 'Of its CPU time, the share of threads that were in no socket call, from the same samples.',
    }),
  ),
  socketShareSamples: Type.Optional(Type.Integer({ description: 'Samples behind socketShare.' })),
  runDelayMsPerS: Type.Optional(Type.Number({ description: 'Time runnable but waiting for a CPU, all threads.' })),
  voluntarySwitchesPerS: Type.Optional(Type.Number()),
  involuntarySwitchesPerS: Type.Optional(Type.Number()),
  sendBps: Type.Optional(Type.Number({ description: 'Payload, over its TCP connections.' })),
  receiveBps: Type.Optional(Type.Number()),
  retransmitsPerS: Type.Optional(Type.Number()),
  dataSegmentsPerS: Type.Optional(Type.Number({ description: 'With data, both ways, over its TCP connections.' })),
  underLibsd: Type.Optional(Type.Literal(true, { description: 'A monitor knows it. Else absent.' })),
  byMemory: Type.Optional(Type.Integer({ description: 'Connections that go by shared memory.' })),
  endedPerS: Type.Optional(Type.Number({ description: 'Its connections that ended.' })),
});
export type ProcessRow = Static<typeof ProcessRow>;
