import type { TuneUndoScriptDocument } from '../../../model/tune/results.js';
import { chooseEntry } from '../choose.js';
import { undoScript } from './script.js';

/** The script for a change, the newest that is still there unless named; empty where there is none. */
export function tuneUndoScript({ id }: { id?: string | undefined } = {}): TuneUndoScriptDocument {
  const entry = chooseEntry(id);
  return {
    schemaVersion: 1,
    command: 'tune undo-script',
    id: entry?.header.id ?? null,
    script: entry ? undoScript(entry) : '#!/bin/sh\n# sockdoc tune has changed nothing that is still there.\n',
  };
}
