import { type Static, Type } from '@sinclair/typebox';
import { Result } from './results.js';
import { CATEGORIES } from './words.js';

export const ExplainDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('explain'),
    version: Type.String(),
    id: Type.String(),
    title: Type.String(),
    category: Type.Union(CATEGORIES.map((c) => Type.Literal(c))),
    scope: Type.Union([Type.Literal('host'), Type.Literal('netns')]),
    mechanism: Type.String(),
    reads: Type.String({ description: 'Where each number is read.' }),
    threshold: Type.String({ description: 'When it is info, warn and fail.' }),
    why: Type.String(),
    remedy: Type.String(),
    risk: Type.String(),
    undo: Type.String(),
    needs: Type.String(),
    sources: Type.Array(Type.String()),
    tune: Type.Optional(
      Type.Object(
        { keys: Type.Array(Type.String()), command: Type.String() },
        { description: 'What of the remedy `sockdoc tune` can do, and how; absent where it is none of its settings.' },
      ),
    ),
    thresholds: Type.Array(
      Type.Object({
        name: Type.String(),
        value: Type.Number(),
        default: Type.Number(),
        unit: Type.String(),
        description: Type.String(),
      }),
      { description: 'Numbers that .sockdoc.yaml may change.' },
    ),
    configuration: Type.Array(Type.String(), {
      description: 'What the configuration of this host says about the check.',
    }),
    here: Type.Optional(Type.Array(Result, { description: 'With --here or --snapshot: what the check says there.' })),
  },
  { $id: 'explain', title: 'sockdoc explain --json' },
);
export type ExplainDocument = Omit<Static<typeof ExplainDocument>, 'here'> & { here?: Result[] };
