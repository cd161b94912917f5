import { type Static, Type } from '@sinclair/typebox';

/** Something that a probe could not read. A gap makes a value unknown; it never makes it zero. */
export const Gap = Type.Object(
  {
    probe: Type.String({ description: 'The probe that met it, e.g. "sockets".' }),
    what: Type.String({ description: 'What is missing: a path, a netlink message, a kind of row.' }),
    reason: Type.String({
      description: 'Why, in words: "permission denied", "not in this kernel", "truncated at 8192 rows".',
    }),
    needs: Type.Optional(
      Type.String({ description: 'The privilege or setting that would help, e.g. "CAP_SYS_PTRACE".' }),
    ),
    count: Type.Optional(Type.Integer({ description: 'How many alike were met.' })),
  },
  { $id: 'Gap' },
);
export type Gap = Static<typeof Gap>;
