import { type Static, Type } from '@sinclair/typebox';
import { Gap } from './gap.js';

/** Where others take more of the CPUs than that, calibrated costs are dearer than they are. */
export const MOST_OTHERS_PERCENT = 20;

/** What messages cost by one transport, as it was measured on this host. */
export const TransportCosts = Type.Object({
  smallUs: Type.Number({
    description: 'CPU time of sending and receiving a message of smallBytes, both ends together.',
  }),
  largeUs: Type.Number({ description: 'The same for largeBytes.' }),
  wakeUpUs: Type.Number({ description: 'CPU time that it adds when the receiver sleeps before each message.' }),
  smallRoundTripUs: Type.Number({ description: 'There and back, the median, nothing else going on.' }),
  largeRoundTripUs: Type.Number(),
});
export type TransportCosts = Static<typeof TransportCosts>;

/** Measured once per boot and kept; again where others disturbed it. */
export const Calibration = Type.Object({
  measuredAt: Type.String(),
  kernel: Type.String({ description: 'Release of the kernel that it was measured on.' }),
  bootId: Type.String(),
  version: Type.String({ description: 'Of the sockdoc that measured it.' }),
  cpus: Type.Array(Type.Integer(), { description: 'Of the sender and of the receiver.' }),
  othersPercent: Type.Optional(Type.Number({ description: 'Of the time of these CPUs, what others took meanwhile.' })),
  times: Type.Optional(Type.Integer({ description: 'How often it was measured; of all times the cheapest counts.' })),
  smallBytes: Type.Integer(),
  largeBytes: Type.Integer(),
  byKernel: TransportCosts,
  byMemory: TransportCosts,
});
export type Calibration = Static<typeof Calibration>;

/** Why a process, or what it holds, cannot be moved. */
export const Obstacle = Type.Object({
  pid: Type.Optional(Type.Integer({ description: 'Of the process that it is about; absent: of the pair.' })),
  code: Type.String(),
  reason: Type.String(),
  next: Type.Optional(Type.String({ description: 'What would help.' })),
  blocks: Type.Boolean({ description: 'false: only some of the connections stay where they are.' }),
});
export type Obstacle = Static<typeof Obstacle>;

const share = (description: string) => Type.Optional(Type.Number({ description }));

/** One end of a pair. Shares are of the window. */
export const PairEnd = Type.Object({
  pid: Type.Integer(),
  comm: Type.String(),
  uid: Type.Integer(),
  netns: Type.Optional(Type.String()),
  container: Type.Optional(Type.String()),
  cpuCores: share('CPU time by wall time.'),
  kernelShare: share('Of its CPU time, in the kernel (0 to 1).'),
  socketShare: share('Of its CPU time, in the socket path of the kernel (0 to 1), from samples.'),
  socketUpkeepShare: share(
    'Of its CPU time, the part of socketShare that stays with the kernel: sockets made, connected, accepted and closed, their options.',
  ),
  socketShareSamples: Type.Optional(Type.Integer()),
  asideShare: share('Of its CPU time, in threads that were in no socket call, from the same samples.'),
  partOfTraffic: share('Of its TCP traffic, what goes to the other end of this pair (0 to 1).'),
});
export type PairEnd = Static<typeof PairEnd>;

const Flow = Type.Object({ bytesPerS: Type.Number(), segmentsPerS: Type.Number() });

export const Prediction = Type.Object({
  socketPathCores: Type.Number({ description: 'CPU that this traffic takes in the socket path of the kernel now.' }),
  source: Type.Union([Type.Literal('sampled'), Type.Literal('estimated')], {
    description: 'estimated: from the calibrated costs of the messages, because the CPU could not be sampled.',
  }),
  memoryCores: Type.Number({
    description:
      'What the same traffic would take by shared memory: messages, waiting for them, and what stays with the kernel.',
  }),
  undisturbedCores: Type.Number({
    description: 'What the programs themselves would take less, because no TCP runs in between.',
  }),
  savedCores: Type.Number({
    description: 'socketPathCores and undisturbedCores less memoryCores. Below 0: shared memory would take more.',
  }),
  timesLessCpu: Type.Optional(
    Type.Number({
      description: 'CPU for the same traffic now, by that after; about how much more the same CPU carries.',
    }),
  ),
  timesLessCpuBetween: Type.Optional(
    Type.Tuple([Type.Number(), Type.Number()], {
      description: 'What timesLessCpu may be, by the samples that it is made of and by what else was measured to stay.',
    }),
  ),
  roundTripUs: Type.Object(
    { byKernel: Type.Number(), byMemory: Type.Number() },
    { description: 'Of messages of this size between two processes that have nothing else to do.' },
  ),
});
export type Prediction = Static<typeof Prediction>;

export const VERDICTS = ['migrate', 'no-gain', 'leave', 'blocked', 'moved'] as const;

/** Two processes and all connections between them. */
export const AdvisedPair = Type.Object({
  client: PairEnd,
  server: PairEnd,
  ports: Type.Array(Type.Integer(), { description: 'Of the server, eight at most.' }),
  connections: Type.Integer(),
  byMemory: Type.Integer({ description: 'Of them, already by shared memory.' }),
  traffic: Type.Optional(
    Type.Object({
      toServer: Flow,
      toClient: Flow,
      messagesPerS: Type.Number({
        description: 'Both ways; segments with data, those of a large message taken together.',
      }),
      roundTripsPerS: Type.Number({ description: 'At most: the smaller of the two directions.' }),
    }),
  ),
  rttUs: Type.Optional(Type.Number({ description: 'As the kernel measures it now, the mean of the connections.' })),
  prediction: Type.Optional(Prediction),
  verdict: Type.Union(VERDICTS.map((verdict) => Type.Literal(verdict))),
  obstacles: Type.Array(Obstacle),
});
export type AdvisedPair = Static<typeof AdvisedPair>;

export const AdviseDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('advise'),
    version: Type.String(),
    takenAt: Type.String(),
    windowMs: Type.Number(),
    pids: Type.Optional(
      Type.Array(Type.Integer(), { description: 'Of --pid: only pairs that one of them is an end of.' }),
    ),
    calibration: Type.Optional(Calibration),
    pairs: Type.Array(AdvisedPair, {
      description: 'What would gain the most first; those that nothing can be done for last.',
    }),
    seen: Type.Integer({ description: 'Pairs before the limit.' }),
    gaps: Type.Array(Gap),
  },
  { $id: 'advise', title: 'sockdoc advise --json' },
);
export type AdviseDocument = Static<typeof AdviseDocument>;
