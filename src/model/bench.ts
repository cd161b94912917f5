import { type Static, Type } from '@sinclair/typebox';

/** What may carry the bytes of a measurement. */
export const BENCH_TRANSPORTS = ['kernel', 'unix', 'shm'] as const;
export type BenchTransport = (typeof BENCH_TRANSPORTS)[number];

export const BENCH_FORMATS = ['markdown', 'html', 'svg', 'csv'] as const;
export type BenchFormat = (typeof BENCH_FORMATS)[number];

const head = <Name extends string>(command: Name) => ({
  schemaVersion: Type.Literal(1),
  command: Type.Literal(command),
});

const numbers = (description: string) => Type.Array(Type.Number(), { description });

export const BenchResult = Type.Object({
  suite: Type.String(),
  case: Type.String({ description: 'What was measured within the suite; with cpus and transport it is unique.' }),
  transport: Type.Union(
    [...BENCH_TRANSPORTS, 'libsd' as const].map((name) => Type.Literal(name)),
    {
      description:
        'libsd: under sockdoc run, but the connection was not upgraded, for the reason given: no measurement of shared memory.',
    },
  ),
  reason: Type.Optional(Type.String({ description: 'Why the connection stayed on the kernel.' })),
  bytes: Type.Integer({ description: 'Of a message, or of the payload of a request.' }),
  cpus: Type.Array(Type.Integer(), {
    description: 'Of the server, of the client: the same twice is one CPU for both; empty: not pinned.',
  }),
  metric: Type.String(),
  unit: Type.String({ description: '"us", "1/s"' }),
  better: Type.Union([Type.Literal('lower'), Type.Literal('higher')]),
  p50: Type.Number({ description: 'Median of the repetitions.' }),
  p99: Type.Number({
    description:
      'Of round trips: the median of the 99th percentiles of the repetitions. Of rates, of which a repetition has one: the largest of them.',
  }),
  mean: Type.Number({ description: 'Of the repetitions; of round trips, the mean of their means.' }),
  repetitions: numbers('Each repetition: of round trips its median, else its rate.'),
  lineTransferNs: Type.Optional(
    numbers('How long a cache line took between the two CPUs, right before each repetition.'),
  ),
  ringShare: Type.Optional(numbers('The share of the measured bytes that went through the ring, 0 to 1.')),
  othersPercent: numbers('CPU time that others took on these CPUs during each repetition, of all there was.'),
  disturbed: Type.Integer({ description: 'Repetitions in which others took more than 5 %.' }),
});
export type BenchResult = Static<typeof BenchResult>;

const NotMeasured = Type.Object({
  suite: Type.String(),
  case: Type.String(),
  transport: Type.Optional(Type.String({ description: 'Absent: all.' })),
  reason: Type.String(),
  next: Type.Optional(Type.String({ description: 'A command that would help.' })),
});
export type NotMeasured = Static<typeof NotMeasured>;

const Host = Type.Object({
  hostname: Type.String(),
  kernel: Type.String(),
  arch: Type.String(),
  cpuModel: Type.String(),
  cpus: Type.Integer(),
  allowedCpus: Type.Array(Type.Integer(), { description: 'On which sockdoc may run.' }),
  virtual: Type.Boolean({ description: 'The processor says that a hypervisor is below.' }),
  governors: Type.Array(Type.String(), { description: 'Of frequency scaling; empty where the kernel does not scale.' }),
  clocksource: Type.String(),
  mitigations: Type.Record(Type.String(), Type.String(), { description: 'Those that cost something here.' }),
  loadAverage: numbers('At the begin: over 1, 5 and 15 minutes.'),
  memoryBytes: Type.Integer(),
});
export type BenchHost = Static<typeof Host>;

export const BenchDocument = Type.Object({
  ...head('bench run'),
  version: Type.String(),
  takenAt: Type.String({ format: 'date-time' }),
  durationMs: Type.Integer({ description: 'Of the whole run.' }),
  settings: Type.Object({
    suites: Type.Array(Type.String()),
    transports: Type.Array(Type.String()),
    quick: Type.Boolean(),
    durationMs: Type.Number({ description: 'Of one repetition.' }),
    repetitions: Type.Integer(),
    cpus: Type.Array(Type.Integer()),
    environment: Type.Record(Type.String(), Type.String(), { description: 'SOCKDOC_… variables that libsd got.' }),
  }),
  host: Host,
  versions: Type.Record(Type.String(), Type.String(), { description: 'Of the programs that were measured.' }),
  results: Type.Array(BenchResult),
  notMeasured: Type.Array(NotMeasured),
});
export type BenchDocument = Static<typeof BenchDocument>;

export const BenchListDocument = Type.Object({
  ...head('bench list'),
  suites: Type.Array(
    Type.Object({
      id: Type.String(),
      title: Type.String(),
      measures: Type.String(),
      transports: Type.Array(Type.String()),
      programs: Type.Array(
        Type.Object({
          name: Type.String(),
          installed: Type.Boolean(),
          package: Type.Optional(Type.String({ description: "Debian's." })),
        }),
        { description: 'That have to be installed; without them a part is left out.' },
      ),
    }),
  ),
});
export type BenchListDocument = Static<typeof BenchListDocument>;

const Compared = Type.Object({
  suite: Type.String(),
  case: Type.String(),
  transport: Type.String(),
  cpus: Type.Array(Type.Integer()),
  unit: Type.String(),
  from: Type.Number(),
  to: Type.Number(),
  times: Type.Number({ description: 'How many times better the second is: above 1 it is the better one.' }),
  verdict: Type.Union(
    ['better', 'worse', 'same'].map((word) => Type.Literal(word as 'better' | 'worse' | 'same')),
    { description: 'same: the two spreads of repetitions overlap.' },
  ),
});

export const BenchCompareDocument = Type.Object({
  ...head('bench compare'),
  from: Type.String(),
  to: Type.String(),
  differences: Type.Array(Type.Object({ what: Type.String(), from: Type.String(), to: Type.String() }), {
    description: 'Of host, versions and settings: what else may have made the results differ.',
  }),
  compared: Type.Array(Compared),
  onlyFrom: Type.Array(Type.String()),
  onlyTo: Type.Array(Type.String()),
});
export type BenchCompareDocument = Static<typeof BenchCompareDocument>;
