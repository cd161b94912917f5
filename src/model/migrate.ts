import { type Static, Type } from '@sinclair/typebox';
import { Gap } from './gap.js';

/** One direction of a connection, or a thread, for which a process could not be left in time. */
export const Kept = Type.Object({
  why: Type.String({
    description:
      'unread, receiving, sending, peer-reads, crossing; or monitor or interest, which are about no connection (docs/attach.md).',
  }),
  direction: Type.Optional(Type.Union([Type.Literal('in'), Type.Literal('out')])),
  fd: Type.Optional(Type.Integer()),
  local: Type.Optional(Type.String()),
  remote: Type.Optional(Type.String()),
  unreadBytes: Type.Optional(Type.Integer({ description: 'In memory, that the program has not read.' })),
  kernelBytesBefore: Type.Optional(Type.Integer({ description: 'That it has to read from the kernel first.' })),
});
export type Kept = Static<typeof Kept>;

/** What both documents say of a process that stays attached. */
const STAYS = {
  keptCount: Type.Optional(Type.Integer({ description: 'What kept it from being left, in number.' })),
  kept: Type.Optional(Type.Array(Kept, { description: 'The first of these.' })),
};

/** What both say of a process that had any. */
const SETS = {
  sets: Type.Optional(
    Type.Object(
      {
        count: Type.Optional(Type.Integer()),
        own: Type.Optional(
          Type.Integer({ description: 'That nobody else can reach: the kernel need not hear of each change of them.' }),
        ),
        unclear: Type.Optional(Type.String({ description: 'Why the kernel does not tell.' })),
      },
      { description: 'Epoll sets that it had when libsd came.' },
    ),
  ),
};

/** What sockdoc-inject says of one process (docs/attach.md). */
export const InjectedProcess = Type.Object({
  pid: Type.Integer(),
  comm: Type.String(),
  state: Type.Union(['attached', 'detached', 'ready', 'refused'].map((state) => Type.Literal(state))),
  code: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
  next: Type.Optional(Type.String()),
  ...STAYS,
  stoppedMs: Type.Optional(Type.Number()),
  allStoppedMs: Type.Optional(Type.Number()),
  stops: Type.Optional(Type.Array(Type.Number())),
  ...SETS,
});
export type InjectedProcess = Static<typeof InjectedProcess>;

export const InjectDocument = Type.Object({ version: Type.Literal(1), process: InjectedProcess });
export type InjectDocument = Static<typeof InjectDocument>;

export const MigratedProcess = Type.Object({
  pid: Type.Integer(),
  comm: Type.String(),
  state: Type.Union(
    ['attached', 'detached', 'ready', 'refused'].map((state) => Type.Literal(state)),
    { description: 'ready: what --dry-run says of one that could be.' },
  ),
  named: Type.Boolean({ description: 'On the command line; else it came by --with-peers or --with-children.' }),
  code: Type.Optional(
    Type.String({ description: 'Of a refusal; "already" and "not-attached" of one that was so before.' }),
  ),
  reason: Type.Optional(Type.String()),
  next: Type.Optional(Type.String({ description: 'What would help.' })),
  ...STAYS,
  stoppedMs: Type.Optional(Type.Number({ description: 'How long a thread of it was held, in all.' })),
  allStoppedMs: Type.Optional(Type.Number({ description: 'How long all of its threads were, the last time.' })),
  ...SETS,
});
export type MigratedProcess = Static<typeof MigratedProcess>;

const Use = Type.Object({ bytesPerS: Type.Number(), cpuCores: Type.Optional(Type.Number()) });

/** What moving did for a pair, beside what was predicted. */
export const Effect = Type.Object({
  client: Type.Object({ pid: Type.Integer(), comm: Type.String() }),
  server: Type.Object({ pid: Type.Integer(), comm: Type.String() }),
  before: Use,
  after: Use,
  timesThroughput: Type.Optional(Type.Number({ description: 'Bytes per second after by before.' })),
  timesLessCpu: Type.Optional(Type.Number({ description: 'CPU time per byte before by after.' })),
  predictedTimesLessCpu: Type.Optional(Type.Number()),
  predictedTimesLessCpuBetween: Type.Optional(Type.Tuple([Type.Number(), Type.Number()])),
});
export type Effect = Static<typeof Effect>;

/** How long threads of the processes were held, each time. */
export const Stopped = Type.Object({
  count: Type.Integer({ description: 'Of the times.' }),
  medianMs: Type.Number(),
  p90Ms: Type.Number(),
  p99Ms: Type.Number(),
  maxMs: Type.Number(),
});
export type Stopped = Static<typeof Stopped>;

export const MigrateDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('migrate'),
    version: Type.String(),
    takenAt: Type.String(),
    dryRun: Type.Boolean(),
    back: Type.Boolean(),
    monitor: Type.Optional(Type.String({ description: 'Its socket.' })),
    processes: Type.Array(MigratedProcess),
    connections: Type.Object(
      {
        moved: Type.Integer({
          description: 'By shared memory now; of --dry-run: those that both ends would be ready for.',
        }),
        kept: Type.Integer({ description: 'By the kernel.' }),
        reasons: Type.Record(Type.String(), Type.Integer(), { description: 'Why it is the kernel.' }),
      },
      { description: 'Established ones of these processes, each once, also if both of its ends are among them.' },
    ),
    stopped: Type.Optional(Stopped),
    effects: Type.Array(Effect),
    gaps: Type.Array(Gap),
  },
  { $id: 'migrate', title: 'sockdoc migrate --json' },
);
export type MigrateDocument = Static<typeof MigrateDocument>;
