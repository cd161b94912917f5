import { type Static, Type } from '@sinclair/typebox';
import { PROFILES } from '../words.js';
import { Effect } from './effect.js';
import { Owner, PlanRow } from './plan.js';

const head = <Name extends string>(command: Name) => ({
  schemaVersion: Type.Literal(1),
  command: Type.Literal(command),
});

const Key = Type.String({ description: 'As in the plan.' });

export const Applied = Type.Object({
  key: Key,
  from: Type.String(),
  to: Type.String({ description: 'What it is now.' }),
  asked: Type.Optional(
    Type.String({ description: 'What was written, where the kernel made something else of it that still improves.' }),
  ),
  coupled: Type.Optional(
    Type.Array(Type.Object({ key: Key, from: Type.String(), to: Type.String() }), {
      description: 'What the kernel changed by itself; revert restores it too.',
    }),
  ),
});
export type Applied = Static<typeof Applied>;

export const Skipped = Type.Object({ key: Key, reason: Type.String() });
export type Skipped = Static<typeof Skipped>;

/** A write that did not succeed, after which everything written before it was undone. */
export const Failed = Type.Object({
  key: Key,
  reason: Type.String(),
  undone: Type.Array(Type.String(), { description: 'Keys that have their former value again.' }),
  kept: Type.Array(Skipped, { description: 'Keys that could not be given their former value back, and why.' }),
});
export type Failed = Static<typeof Failed>;

/** A file that makes settings outlast a restart. */
export const Persisted = Type.Object({
  file: Type.String(),
  keys: Type.Array(Type.String()),
  overridden: Type.Array(
    Type.Object({
      key: Key,
      by: Type.String({ description: 'The file and line that is applied later and wins.' }),
      value: Type.String(),
    }),
  ),
  note: Type.Optional(Type.String({ description: 'That nothing runs now which reads such files.' })),
});
export type Persisted = Static<typeof Persisted>;

const NotPersisted = Type.Optional(
  Type.Array(Skipped, { description: 'With --persist: what no file can make last, and why.' }),
);

/** What the engine did with a plan. */
export const Change = Type.Object({
  applied: Type.Array(Applied),
  skipped: Type.Array(Skipped),
  failed: Type.Optional(Failed),
  id: Type.Union([Type.String(), Type.Null()], { description: 'Of the journal entry; null when nothing was written.' }),
  persisted: Type.Optional(Type.Array(Persisted)),
  notPersisted: NotPersisted,
  confirmBefore: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'Reverted by itself then, unless `sockdoc tune confirm` comes first.',
    }),
  ),
});
export type Change = Static<typeof Change>;

export const TuneDocument = Type.Object({
  ...head('tune'),
  profile: Type.Union(PROFILES.map((profile) => Type.Literal(profile))),
  plan: Type.Array(PlanRow),
  ...Change.properties,
  effect: Type.Optional(
    Type.Array(Effect, { description: 'The symptom behind each row that was written, before and after.' }),
  ),
});
export type TuneDocument = Static<typeof TuneDocument>;

export const TuneVerifyDocument = Type.Object({
  ...head('tune verify'),
  ok: Type.Boolean(),
  id: Type.Union([Type.String(), Type.Null()], { description: 'null: there is nothing that is not yet reverted.' }),
  items: Type.Array(
    Type.Object({
      key: Key,
      expected: Type.String(),
      actual: Type.Union([Type.String(), Type.Null()], { description: 'null: it cannot be read any more.' }),
      ok: Type.Boolean(),
      owner: Type.Union([Owner, Type.Null()], {
        description: 'Of what differs: who sets the value that it has, as far as that can be known.',
      }),
    }),
  ),
});
export type TuneVerifyDocument = Static<typeof TuneVerifyDocument>;

export const TuneRevertDocument = Type.Object({
  ...head('tune revert'),
  id: Type.Union([Type.String(), Type.Null()], { description: 'null: there was nothing to revert.' }),
  reverted: Type.Array(Type.Object({ key: Key, from: Type.String(), to: Type.String() })),
  kept: Type.Array(Skipped),
  restored: Type.Array(Type.String(), {
    description: 'Files of --persist that were removed, or are what they were before.',
  }),
  note: Type.Optional(Type.String()),
});
export type TuneRevertDocument = Static<typeof TuneRevertDocument>;

export const ENTRY_STATES = ['unfinished', 'unconfirmed', 'applied', 'undone', 'reverted', 'damaged'] as const;

export const TuneHistoryDocument = Type.Object({
  ...head('tune history'),
  entries: Type.Array(
    Type.Object({
      id: Type.String(),
      at: Type.Optional(Type.String({ format: 'date-time' })),
      state: Type.Union(
        ENTRY_STATES.map((state) => Type.Literal(state)),
        {
          description:
            'unfinished: it was cut off and is to be reverted; undone: a write failed or was interrupted, and all was taken back; damaged: its journal cannot be read.',
        },
      ),
      profile: Type.Optional(Type.String()),
      netns: Type.Optional(
        Type.String({ description: 'Name or number of the network namespace; absent: the initial one.' }),
      ),
      keys: Type.Array(Type.String()),
      persisted: Type.Boolean(),
      confirmBefore: Type.Optional(Type.String({ format: 'date-time' })),
      note: Type.Optional(Type.String()),
    }),
    { description: 'Newest first.' },
  ),
  note: Type.Optional(Type.String({ description: 'That there is another journal, which this user may not read.' })),
});
export type TuneHistoryDocument = Static<typeof TuneHistoryDocument>;

export const TuneUndoScriptDocument = Type.Object({
  ...head('tune undo-script'),
  id: Type.Union([Type.String(), Type.Null()]),
  script: Type.String({ description: 'For sh; needs nothing of sockdoc.' }),
});
export type TuneUndoScriptDocument = Static<typeof TuneUndoScriptDocument>;

export const TuneConfirmDocument = Type.Object({
  ...head('tune confirm'),
  id: Type.Union([Type.String(), Type.Null()], { description: 'null: nothing waited for it.' }),
  persisted: Type.Array(Persisted),
  notPersisted: NotPersisted,
});
export type TuneConfirmDocument = Static<typeof TuneConfirmDocument>;
