import { type Static, Type } from '@sinclair/typebox';
import { Gap } from './gap.js';
import {
  CATEGORIES,
  type Category,
  PROFILES,
  type Profile,
  RESULT_SCHEMA_VERSION,
  STATUSES,
  type Status,
} from './words.js';

export * from './words.js';

export const StatusSchema = Type.Union(STATUSES.map((s) => Type.Literal(s)));

/** What a finding is about. */
export const Subject = Type.Object({
  pid: Type.Optional(Type.Integer()),
  comm: Type.Optional(Type.String()),
  tid: Type.Optional(Type.Integer()),
  fd: Type.Optional(Type.Integer()),
  listener: Type.Optional(Type.String({ description: 'ADDR:PORT, or the path of a UNIX listener.' })),
  connection: Type.Optional(Type.String({ description: 'LOCAL -> REMOTE' })),
  interface: Type.Optional(Type.String()),
  cpu: Type.Optional(Type.Integer()),
  netns: Type.Optional(Type.String()),
  key: Type.Optional(Type.String()),
  file: Type.Optional(Type.String()),
  cgroup: Type.Optional(Type.String()),
  container: Type.Optional(Type.String()),
  device: Type.Optional(Type.String()),
});
export type Subject = Static<typeof Subject>;

/** One number that was read, and where. */
export const Evidence = Type.Object({
  source: Type.String({ description: 'File, netlink family or tracepoint it was read from.' }),
  key: Type.String(),
  value: Type.Union([Type.Number(), Type.String(), Type.Boolean()]),
  unit: Type.String({ description: '"1", "bytes", "us", "%", "packets", …; "" for a word.' }),
  scope: Type.Optional(
    Type.Union([Type.Literal('window'), Type.Literal('total'), Type.Literal('now')], {
      description:
        'window: growth over the window; total: since boot (or since its subject began); now: at the last reading.',
    }),
  ),
  subject: Type.Optional(Subject),
});
export type Evidence = Static<typeof Evidence>;

/** A setting that `tune` could write. */
export const Tune = Type.Object({ key: Type.String(), from: Type.String(), to: Type.String() });
export type Tune = Static<typeof Tune>;

export const Remedy = Type.Object({
  summary: Type.String(),
  commands: Type.Array(Type.String()),
  tunes: Type.Array(Tune),
  risk: Type.String(),
  undo: Type.String(),
  needs: Type.String({ description: '"nothing", "restart of the application", "reboot", "new connections", …' }),
});
export type Remedy = Static<typeof Remedy>;

export const Result = Type.Object({
  id: Type.String(),
  title: Type.String(),
  category: Type.Union(CATEGORIES.map((c) => Type.Literal(c))),
  status: StatusSchema,
  summary: Type.String(),
  evidence: Type.Array(Evidence),
  subject: Type.Optional(Subject),
  why: Type.String(),
  remedy: Type.Optional(Remedy),
  references: Type.Array(Type.String()),
  count: Type.Optional(Type.Integer({ description: 'On the result that stands for the rest: how many.' })),
  suppressed: Type.Optional(Type.Object({ reason: Type.String(), expires: Type.Optional(Type.String()) })),
});
export type Result = Omit<Static<typeof Result>, 'status' | 'category'> & { status: Status; category: Category };

export const HostSummary = Type.Object({
  hostname: Type.String(),
  kernel: Type.String(),
  arch: Type.String(),
  cpus: Type.Integer(),
  memoryBytes: Type.Integer(),
  container: Type.Union([Type.String(), Type.Null()]),
  netns: Type.String(),
});

export const Summary = Type.Object({
  pass: Type.Integer(),
  info: Type.Integer(),
  warn: Type.Integer(),
  fail: Type.Integer(),
  skip: Type.Integer(),
  unknown: Type.Integer(),
  notApplicable: Type.Integer(),
  suppressed: Type.Integer(),
  complete: Type.Boolean({ description: 'False when a check was skipped or unknown.' }),
});
export type Summary = Static<typeof Summary>;

export const CheckDocument = Type.Object(
  {
    schemaVersion: Type.Literal(RESULT_SCHEMA_VERSION),
    command: Type.Literal('check'),
    version: Type.String(),
    takenAt: Type.String({ format: 'date-time' }),
    durationMs: Type.Number(),
    windowMs: Type.Number(),
    host: HostSummary,
    summary: Summary,
    action: Type.Union([Type.String(), Type.Null()], { description: 'The one thing to do first.' }),
    results: Type.Array(Result),
    profile: Type.Optional(Type.Union(PROFILES.map((p) => Type.Literal(p)))),
    selection: Type.Optional(Type.String({ description: 'What was asked for by name: "unit nginx.service".' })),
    redacted: Type.Optional(Type.Boolean()),
    gaps: Type.Optional(Type.Array(Gap, { description: 'What could not be read, and which privilege would help.' })),
    sampling: Type.Optional(
      Type.Object(
        { forMs: Type.Number(), windows: Type.Integer({ description: 'How many were judged.' }) },
        { description: 'With --for: these are the results of the worst window.' },
      ),
    ),
  },
  { $id: 'check', title: 'sockdoc check --json' },
);
export type CheckDocument = Omit<Static<typeof CheckDocument>, 'results' | 'profile'> & {
  results: Result[];
  profile?: Profile;
};
