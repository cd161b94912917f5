import { type Static, Type } from '@sinclair/typebox';
import { CATEGORIES } from './words.js';

export const ListDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('check'),
    version: Type.String(),
    checks: Type.Array(
      Type.Object({
        id: Type.String(),
        category: Type.Union(CATEGORIES.map((c) => Type.Literal(c))),
        title: Type.String(),
        scope: Type.Union([Type.Literal('host'), Type.Literal('netns')], {
          description: 'Judged once, or once for each network namespace.',
        }),
      }),
    ),
  },
  { $id: 'list', title: 'sockdoc check --list --json' },
);
export type ListDocument = Static<typeof ListDocument>;
