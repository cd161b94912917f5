import type { Skipped, TuneRevertDocument } from '../../model/tune/results.js';
import { bootId } from './boot.js';
import { chooseEntry, netnsOf, requireNewest } from './choose.js';
import { type Entry, isOpen } from './journal/entry.js';
import { appendRecord } from './journal/files.js';
import { restoreFiles } from './persist/persist.js';
import { lockTune, otherJournal } from './state.js';
import { type Undone, undoSteps } from './undo.js';

/**
 * Gives settings back what they were before a change (the newest that is still there, unless named): those that still
 * have the value that was written. Throws when another process changes settings, or the namespace is out of reach.
 */
export async function revertEntry({ id }: { id?: string | undefined } = {}): Promise<TuneRevertDocument> {
  // Where there is nothing to do, nobody has to be allowed to do it.
  if (!chooseEntry(id)) return nothing(null, nothingOpen());
  const lock = lockTune('sockdoc tune revert');
  try {
    const entry = chooseEntry(id);
    if (!entry) return nothing(null, nothingOpen());
    if (!isOpen(entry)) return nothing(entry.header.id, `it is ${entry.state} already`);
    requireNewest(entry);
    return await revertLocked(entry);
  } finally {
    lock.release();
  }
}

const nothingOpen = (): string =>
  ['there is no change that is not yet reverted', otherJournal()].filter(Boolean).join('; ');

const nothing = (id: string | null, note: string): TuneRevertDocument => ({
  schemaVersion: 1,
  command: 'tune revert',
  id,
  reverted: [],
  kept: [],
  restored: [],
  note,
});

/** For who holds the lock. */
export async function revertLocked(entry: Entry): Promise<TuneRevertDocument> {
  const sameBoot = entry.header.bootId === bootId();
  const files = restoreFiles(entry.files);
  const undone: Undone =
    sameBoot || entry.files.length > 0
      ? await undoSteps(entry.steps, await netnsOf(entry))
      : { reverted: [], kept: [], failed: false };
  const kept = [...files.kept, ...undone.kept];
  const note = noteOf(entry, sameBoot, closeEntry(entry.header.id, kept, undone.failed || files.kept.length > 0));
  return {
    schemaVersion: 1,
    command: 'tune revert',
    id: entry.header.id,
    reverted: undone.reverted,
    kept,
    restored: files.restored,
    ...(note === undefined ? {} : { note }),
  };
}

/** What could not be written back stays open, for another try. The reason why the journal could not be written, if so. */
function closeEntry(id: string, kept: Skipped[], again: boolean): string | undefined {
  if (again) return undefined;
  try {
    appendRecord(id, { type: 'reverted', at: new Date().toISOString(), kept });
    return undefined;
  } catch (error) {
    return `the journal does not say so, because ${(error as Error).message}`;
  }
}

function noteOf(entry: Entry, sameBoot: boolean, journal: string | undefined): string | undefined {
  const notes = [
    ...(sameBoot || entry.files.length > 0 ? [] : ['the host was restarted since: its settings did not outlast that']),
    ...(entry.damaged > 0
      ? [`${entry.damaged} lines of its journal are damaged: what could be read was taken back`]
      : []),
    ...(journal === undefined ? [] : [journal]),
  ];
  return notes.length > 0 ? notes.join('; ') : undefined;
}
