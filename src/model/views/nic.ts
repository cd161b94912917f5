import { type Static, Type } from '@sinclair/typebox';
import { Gap } from '../gap.js';

/** One network interface in short, for the live screen. Rates over the window. */
export const NicRow = Type.Object({
  name: Type.String(),
  netns: Type.Optional(Type.String()),
  driver: Type.Optional(Type.String()),
  state: Type.String({ description: 'operstate: "up", "down", "unknown", …' }),
  speedBps: Type.Optional(Type.Number()),
  mtuBytes: Type.Integer(),
  rxBps: Type.Optional(Type.Number()),
  txBps: Type.Optional(Type.Number()),
  rxPacketsPerS: Type.Optional(Type.Number()),
  txPacketsPerS: Type.Optional(Type.Number()),
  rxDropsPerS: Type.Optional(Type.Number()),
  txDropsPerS: Type.Optional(Type.Number()),
  errorsPerS: Type.Optional(Type.Number()),
  rxQueues: Type.Optional(Type.Integer()),
  txQueues: Type.Optional(Type.Integer()),
  qdisc: Type.Optional(Type.String()),
  numaNode: Type.Optional(Type.Integer()),
  rdma: Type.Optional(Type.String({ description: 'The RDMA verdict in a word or two.' })),
});
export type NicRow = Static<typeof NicRow>;

export const NicDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('nic'),
    version: Type.String(),
    takenAt: Type.String(),
    windowMs: Type.Number(),
    interfaces: Type.Array(NicRow),
    gaps: Type.Array(Gap),
  },
  { $id: 'nic', title: 'sockdoc nic --json' },
);
export type NicDocument = Static<typeof NicDocument>;
