import { type Static, Type } from '@sinclair/typebox';

export const VERDICTS = ['helped', 'did not help', 'cannot be told'] as const;

/** A symptom over one window, and what it comes from. */
export const Measurement = Type.Object({
  symptom: Type.String({ description: 'In the plural: "overflows of accept queues".' }),
  source: Type.String(),
  type: Type.Union([Type.Literal('count'), Type.Literal('state')], {
    description: 'count: events within the window; state: how many were so at its end.',
  }),
  value: Type.Optional(Type.Number({ description: 'Absent where it could not be read.' })),
  load: Type.Object(
    { name: Type.String(), value: Type.Optional(Type.Number()) },
    {
      description: 'What the symptom comes from, over the same window: "connection attempts".',
    },
  ),
});
export type Measurement = Static<typeof Measurement>;

/** What became of a symptom after a change. */
export const Effect = Type.Object({
  key: Type.String({ description: 'As in the plan.' }),
  verdict: Type.Union(VERDICTS.map((verdict) => Type.Literal(verdict))),
  reason: Type.String(),
  symptom: Type.Optional(Type.String({ description: 'Absent where nothing that is counted would show it.' })),
  source: Type.Optional(Type.String()),
  before: Type.Optional(Type.Number()),
  after: Type.Optional(Type.Number()),
  load: Type.Optional(
    Type.Object({
      name: Type.String(),
      before: Type.Optional(Type.Number()),
      after: Type.Optional(Type.Number()),
    }),
  ),
  windowMs: Type.Number({ description: 'Of both measurements.' }),
});
export type Effect = Static<typeof Effect>;

/** What was measured before a change, for `sockdoc tune effect`; kept beside the journal. */
export const Baseline = Type.Object({
  schemaVersion: Type.Literal(1),
  id: Type.String({ description: 'Of the journal entry.' }),
  windowMs: Type.Number(),
  rows: Type.Array(
    Type.Object({
      key: Type.String(),
      from: Type.String(),
      needs: Type.String(),
      measurements: Type.Array(Measurement),
    }),
  ),
});
export type Baseline = Static<typeof Baseline>;

export const TuneEffectDocument = Type.Object({
  schemaVersion: Type.Literal(1),
  command: Type.Literal('tune effect'),
  id: Type.Union([Type.String(), Type.Null()], { description: 'null: there is nothing that is not yet reverted.' }),
  effect: Type.Array(Effect),
});
export type TuneEffectDocument = Static<typeof TuneEffectDocument>;
