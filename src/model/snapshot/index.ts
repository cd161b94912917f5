import { type Static, Type } from '@sinclair/typebox';
import { Gap } from '../gap.js';
import { HostFacts, HostReading, Observed } from './host.js';
import { NetnsFacts, NetnsReading } from './netns.js';

export { SNAPSHOT_SCHEMA_VERSION } from '../words.js';
export * from './host.js';
export * from './links.js';
export * from './netns.js';
export * from './processes.js';
export * from './rdma.js';
export * from './sockets.js';

/** Everything that one moment shows. */
export const Reading = Type.Object({
  monotonicMs: Type.Number({ description: 'CLOCK_MONOTONIC, so that readings of one snapshot can be subtracted.' }),
  host: HostReading,
  netns: Type.Array(NetnsReading, { description: 'One per namespace of the snapshot, in the same order.' }),
});
export type Reading = Static<typeof Reading>;

/**
 * One host over one window: facts, and one reading (window 0) or two. Serialisable: what `--save` writes,
 * `--snapshot` judges and a fixture is.
 */
export const Snapshot = Type.Object(
  {
    format: Type.Literal('sockdoc-snapshot'),
    schemaVersion: Type.Integer({ minimum: 1 }),
    version: Type.String({ description: 'The sockdoc that took it.' }),
    takenAt: Type.String({ format: 'date-time' }),
    durationMs: Type.Number(),
    windowMs: Type.Number({ description: 'As asked for; the readings say what it really was.' }),
    redacted: Type.Boolean(),
    selection: Type.Object(
      {
        pids: Type.Optional(Type.Array(Type.Integer())),
        label: Type.Optional(Type.String({ description: 'What was asked for: "unit nginx.service".' })),
      },
      { description: 'Which processes are judged; empty for all.' },
    ),
    self: Type.Array(Type.Integer(), { description: 'Pids of sockdoc itself: never a subject.' }),
    host: HostFacts,
    netns: Type.Array(NetnsFacts),
    readings: Type.Array(Reading, { minItems: 1, maxItems: 2 }),
    observed: Observed,
    gaps: Type.Array(Gap),
  },
  { $id: 'Snapshot' },
);
export type Snapshot = Static<typeof Snapshot>;
