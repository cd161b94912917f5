import type { TuneHistoryDocument } from '../../model/tune/results.js';
import { vanished } from './choose.js';
import { isOpen } from './journal/entry.js';
import { type Listed, listEntries } from './journal/files.js';
import { otherJournal } from './state.js';

/** What was changed on this host, newest first. */
export function tuneHistory(): TuneHistoryDocument {
  const note = otherJournal();
  return {
    schemaVersion: 1,
    command: 'tune history',
    entries: listEntries().map(summary),
    ...(note === undefined ? {} : { note }),
  };
}

function summary({ id, entry }: Listed): TuneHistoryDocument['entries'][number] {
  if (!entry) return { id, state: 'damaged', keys: [], persisted: false, note: 'its first line cannot be read' };
  const { header, state, confirmBefore } = entry;
  const { netns } = header;
  const notes = [
    ...(isOpen(entry) && vanished(entry) ? ['the host was restarted since: nothing of it is left'] : []),
    ...(entry.damaged > 0 ? [`${entry.damaged} lines of its journal are damaged`] : []),
  ];
  return {
    id,
    at: header.at,
    state,
    profile: header.profile,
    ...(netns.initial ? {} : { netns: netns.name ?? netns.id }),
    keys: entry.steps.map(({ row }) => row.key),
    persisted: entry.files.length > 0,
    ...(state === 'unconfirmed' && confirmBefore !== undefined ? { confirmBefore } : {}),
    ...(notes.length > 0 ? { note: notes.join('; ') } : {}),
  };
}
