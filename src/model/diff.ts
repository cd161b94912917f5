import { type Static, Type } from '@sinclair/typebox';
import { Result } from './results.js';

const Side = Type.Object({
  file: Type.String(),
  hostname: Type.String(),
  kernel: Type.String(),
  version: Type.String(),
  takenAt: Type.String({ format: 'date-time' }),
  windowMs: Type.Number(),
});

const Change = Type.Object({
  key: Type.String(),
  netns: Type.Optional(Type.String()),
  from: Type.Union([Type.String(), Type.Null()], { description: 'null: it was not there.' }),
  to: Type.Union([Type.String(), Type.Null()]),
});
export type Change = Static<typeof Change>;

const Rate = Type.Object({
  key: Type.String(),
  netns: Type.Optional(Type.String()),
  fromPerSecond: Type.Number(),
  toPerSecond: Type.Number(),
});
export type Rate = Static<typeof Rate>;

export const DiffDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('diff'),
    version: Type.String(),
    from: Side,
    to: Side,
    findings: Type.Object({
      appeared: Type.Array(Result),
      disappeared: Type.Array(Result),
      changed: Type.Array(Type.Object({ from: Result, to: Result }), {
        description: 'The same finding about the same subject with another status.',
      }),
    }),
    host: Type.Array(Change, { description: 'Kernel, CPUs, memory, limits and policies of the host.' }),
    sysctls: Type.Array(Change),
    links: Type.Array(Change, { description: 'key: INTERFACE.FIELD' }),
    limits: Type.Array(Change, { description: 'key: PROGRAM.FIELD, for programs that ran on both sides.' }),
    counters: Type.Array(Rate, {
      description: 'Growth per second within the window of either side, where it is above zero on one and not alike.',
    }),
  },
  { $id: 'diff', title: 'sockdoc diff --json' },
);
export type DiffDocument = Omit<Static<typeof DiffDocument>, 'findings'> & {
  findings: { appeared: Result[]; disappeared: Result[]; changed: { from: Result; to: Result }[] };
};
