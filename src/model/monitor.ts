import { type Static, Type } from '@sinclair/typebox';

const head = <Name extends string>(command: Name) => ({
  schemaVersion: Type.Literal(1),
  command: Type.Literal(command),
});

/** What a monitor that runs says of itself; `kept` and `clients` hold what the asking user may see. */
const Running = {
  pid: Type.Integer(),
  version: Type.String(),
  memoryVersion: Type.Optional(
    Type.Integer({
      description: 'How it shares memory: libsd has to do it in the same way. Absent: before it was told.',
    }),
  ),
  uid: Type.Integer({ description: 'The user that it runs as; 0 serves all.' }),
  uptimeS: Type.Integer(),
  clients: Type.Array(
    Type.Object({ pid: Type.Integer(), comm: Type.String(), uid: Type.Integer(), connections: Type.Integer() }),
  ),
  connections: Type.Object(
    { kernel: Type.Integer(), shm: Type.Integer(), rdma: Type.Integer() },
    { description: 'Connections of all users, by what carries them.' },
  ),
  memoryBytes: Type.Integer({ description: 'Shared memory in use.' }),
  slabs: Type.Integer(),
  denied: Type.Integer({ description: 'Connections that the policy kept on the kernel, since the start.' }),
  resets: Type.Integer({
    description:
      'Ends that were reset, since the start: somebody else got them, and bytes in shared memory could not go along.',
  }),
  returned: Type.Optional(
    Type.Integer({
      description:
        'Ends whose unread bytes in shared memory went back to the kernel for somebody else, since the start. Absent: of a monitor that does not say.',
    }),
  ),
  policy: Type.Object({
    path: Type.Optional(Type.String({ description: 'Absent: the built-in policy.' })),
    rules: Type.Integer(),
  }),
  kept: Type.Array(
    Type.Object({
      pid: Type.Integer(),
      comm: Type.String(),
      fd: Type.Integer(),
      local: Type.String(),
      remote: Type.String(),
      reason: Type.String(),
    }),
    { description: 'Ends that stay on the kernel, and why; at most 1000.' },
  ),
  ends: Type.Array(
    Type.Object({
      cookie: Type.String({ description: 'Of the socket, as conns has it.' }),
      transport: Type.Union([Type.Literal('kernel'), Type.Literal('shm')]),
      reason: Type.Optional(Type.String({ description: 'Why it is on the kernel.' })),
      sentBytes: Type.Optional(
        Type.Integer({ minimum: 0, description: 'By shared memory so far, as the processes count them.' }),
      ),
      receivedBytes: Type.Optional(Type.Integer({ minimum: 0 })),
    }),
    { description: 'What carries each end that the asking user may see; at most 65536.' },
  ),
  reasons: Type.Record(Type.String(), Type.Integer(), { description: 'All such ends, by reason.' }),
};

/** How the monitor of this build comes in the place of one of another. */
export const restartOf = (socket: string): string =>
  `Restart it: sockdoc monitor stop --socket ${socket} && sockdoc monitor start --socket ${socket} (a service: systemctl restart sockdoc-monitor). Connections that run go on meanwhile.`;

export const MonitorRunning = Type.Object(Running);
export type MonitorRunning = Static<typeof MonitorRunning>;

/** What readings need of it. */
export const MonitorEnds = Type.Pick(MonitorRunning, ['clients', 'ends']);
export type MonitorEnds = Static<typeof MonitorEnds>;

export const MonitorStatusDocument = Type.Object({
  ...head('monitor status'),
  running: Type.Boolean(),
  socket: Type.String(),
  usable: Type.Optional(
    Type.Boolean({
      description: 'False of one of another build: all that libsd of this one is in stays on the kernel.',
    }),
  ),
  ...Type.Partial(MonitorRunning).properties,
});
export type MonitorStatusDocument = Static<typeof MonitorStatusDocument>;

export const MonitorStartDocument = Type.Object({
  ...head('monitor start'),
  pid: Type.Integer(),
  socket: Type.String(),
});
export type MonitorStartDocument = Static<typeof MonitorStartDocument>;

export const MonitorStopDocument = Type.Object({
  ...head('monitor stop'),
  stopped: Type.Boolean({ description: 'false: none was running.' }),
  socket: Type.String(),
});
export type MonitorStopDocument = Static<typeof MonitorStopDocument>;

export const PolicyMistake = Type.Object({
  line: Type.Optional(Type.Integer({ description: 'Absent: the file as a whole.' })),
  column: Type.Optional(Type.Integer()),
  message: Type.String(),
  expected: Type.String(),
});
export type PolicyMistake = Static<typeof PolicyMistake>;

export const MonitorPolicyDocument = Type.Object({
  ...head('monitor policy check'),
  file: Type.String(),
  ok: Type.Boolean(),
  rules: Type.Integer(),
  limits: Type.Object({
    slabs: Type.Integer(),
    bytes: Type.Integer(),
    connections: Type.Integer(),
    requests: Type.Integer(),
    ring: Type.Integer(),
  }),
  errors: Type.Array(PolicyMistake, { description: 'At most some twenty.' }),
});
export type MonitorPolicyDocument = Static<typeof MonitorPolicyDocument>;
