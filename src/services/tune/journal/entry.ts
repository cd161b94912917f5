import type { ENTRY_STATES } from '../../../model/tune/results.js';
import type { FileChange, Header, JournalRecord, JournalRow, Values } from './records.js';

export type EntryState = (typeof ENTRY_STATES)[number];

/** A row that was written, or was about to be. */
export interface Step {
  row: JournalRow;
  /** Of the row's key and its coupled keys. */
  before: Values;
  /** Absent: it was cut off between the write and its record, so nobody knows what the kernel made of it. */
  after?: Values;
}

/** An entry of the journal, put together from its records. */
export interface Entry {
  header: Header;
  steps: Step[];
  files: FileChange[];
  state: EntryState;
  confirmBefore?: string;
  /** Lines that could not be read. */
  damaged: number;
}

/** Undefined where not even the header can be read: then nothing is known of the entry. */
export function entryOf(records: readonly JournalRecord[], damaged: number): Entry | undefined {
  const header = records.find((record) => record.type === 'entry');
  if (!header) return undefined;
  const applied = records.findLast((record) => record.type === 'applied');
  return {
    header,
    steps: stepsOf(header, records, damaged > 0 || !applied),
    files: records.flatMap((record) => (record.type === 'persisting' ? record.files : [])),
    state: stateOf(records),
    ...(applied?.confirmBefore === undefined ? {} : { confirmBefore: applied.confirmBefore }),
    damaged,
  };
}

function stepsOf(header: Header, records: readonly JournalRecord[], incomplete: boolean): Step[] {
  return header.rows.flatMap((row, at): Step[] => {
    const writing = records.findLast((record) => record.type === 'writing' && record.row === at);
    const wrote = records.findLast((record) => record.type === 'wrote' && record.row === at);
    const after = wrote?.type === 'wrote' ? { after: wrote.after } : {};
    if (writing?.type === 'writing') return [{ row, before: writing.before, ...after }];
    // Where lines are missing the row may have been written all the same: only the value that was asked for is taken back.
    if (incomplete) return [{ row, before: { [row.key]: row.from }, after: { [row.key]: row.to }, ...after }];
    return [];
  });
}

function stateOf(records: readonly JournalRecord[]): EntryState {
  const has = (type: JournalRecord['type']) => records.some((record) => record.type === type);
  if (has('reverted')) return 'reverted';
  if (has('undone')) return 'undone';
  const applied = records.findLast((record) => record.type === 'applied');
  if (!applied) return 'unfinished';
  return applied.type === 'applied' && applied.confirmBefore !== undefined && !has('confirmed')
    ? 'unconfirmed'
    : 'applied';
}

/** Whether there may be something of it left on the host. */
export const isOpen = (entry: Entry): boolean => entry.state !== 'reverted' && entry.state !== 'undone';
