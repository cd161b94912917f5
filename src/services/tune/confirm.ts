import type { TuneConfirmDocument } from '../../model/tune/results.js';
import { usageError } from '../../support/errors.js';
import { chooseEntry } from './choose.js';
import { appendRecord, listEntries } from './journal/files.js';
import { persistSteps } from './persist/persist.js';
import { lockTune } from './state.js';

/** Keeps a change that would revert by itself, and does what --persist left for then. */
export async function confirmEntry({ id }: { id?: string | undefined } = {}): Promise<TuneConfirmDocument> {
  const chosen = () => (id === undefined ? waiting() : chooseEntry(id));
  if (!chosen()) return documentOf(null);
  const lock = lockTune('sockdoc tune confirm');
  try {
    const entry = chosen();
    if (!entry) return documentOf(null);
    const { header, steps, state } = entry;
    if (state !== 'unconfirmed')
      throw usageError(`${header.id} does not wait to be confirmed: it is ${state}`, {
        next: 'See: sockdoc tune history',
      });
    const lasting = header.persist ? await persistSteps(header, steps) : undefined;
    appendRecord(header.id, { type: 'confirmed', at: new Date().toISOString() });
    return documentOf(header.id, lasting);
  } finally {
    lock.release();
  }
}

const waiting = () => listEntries().find(({ entry }) => entry?.state === 'unconfirmed')?.entry;

const documentOf = (
  id: string | null,
  lasting: Pick<TuneConfirmDocument, 'persisted' | 'notPersisted'> = { persisted: [] },
): TuneConfirmDocument => ({ schemaVersion: 1, command: 'tune confirm', id, ...lasting });
