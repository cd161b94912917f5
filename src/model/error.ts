import { type Static, Type } from '@sinclair/typebox';

/** What `--json` prints instead of a result. */
export const ErrorDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.String({ description: 'The command that failed; "" when it is not known.' }),
    error: Type.Object({
      code: Type.Integer({ description: 'The exit code.' }),
      kind: Type.Union(
        ['usage', 'not-permitted', 'not-possible', 'internal', 'interrupted'].map((k) => Type.Literal(k)),
      ),
      message: Type.String(),
      next: Type.Union([Type.String(), Type.Null()], { description: 'What to do about it.' }),
    }),
  },
  { $id: 'error', title: 'An error under --json' },
);
export type ErrorDocument = Static<typeof ErrorDocument>;
