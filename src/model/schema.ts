import { type Static, Type } from '@sinclair/typebox';

export const SchemaDocument = Type.Object(
  {
    schemaVersion: Type.Literal(1),
    command: Type.Literal('schema'),
    schemas: Type.Array(
      Type.Object({
        name: Type.String(),
        title: Type.String(),
        schema: Type.Record(Type.String(), Type.Unknown(), { description: 'JSON Schema, draft 7.' }),
      }),
    ),
  },
  { $id: 'schema', title: 'sockdoc schema --json' },
);
export type SchemaDocument = Static<typeof SchemaDocument>;
