import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Lock, takeLock } from '../../control/settings/lock.js';
import { notPermitted, notPossible, SockdocError } from '../../support/errors.js';
import { STATE_OF_ROOT, stateFolder } from '../../support/state-folder.js';

/** Said to a user who looks into a journal of his own while there is one of root; undefined to everybody else. */
export function otherJournal(): string | undefined {
  if (stateFolder() === STATE_OF_ROOT || process.env.SOCKDOC_STATE_DIR?.startsWith('/') || !existsSync(STATE_OF_ROOT))
    return undefined;
  return `what root has changed is in ${STATE_OF_ROOT}: sudo sockdoc tune history`;
}

export const journalFolder = (): string => join(stateFolder(), 'tune');

/** Its file. */
export const lockFile = (): string => join(journalFolder(), 'lock');

/** The one lock of everything that changes settings or the journal. */
export function lockTune(purpose: string): Lock {
  const path = lockFile();
  const lock = guarded(path, () => {
    mkdirSync(journalFolder(), { recursive: true, mode: 0o700 });
    return takeLock(path, purpose);
  });
  if ('release' in lock) return lock;
  throw notPossible(`settings are being changed by ${lock.holder}: nothing was changed here`, {
    next: 'Wait for it to end, and try again.',
  });
}

/** Runs work on files of the state; what goes wrong is said in terms of the user. */
export function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw stateError(path, error);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EIO: 'the disk reports an input/output error',
};

function stateError(path: string, thrown: unknown): unknown {
  // What writes files has words of its own, which are about saving.
  const error = thrown instanceof SockdocError && thrown.cause !== undefined ? thrown.cause : thrown;
  if (!(error instanceof Error) || !('code' in error) || error instanceof SockdocError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM')
    return notPermitted(`${path} cannot be written: permission denied`, {
      cause: error,
      next: 'The journal of changes is kept there. Run it as root (sudo), or set SOCKDOC_STATE_DIR to a folder of yours.',
    });
  return notPossible(`the journal cannot be written (${path}): ${REASONS[code] ?? message}`, {
    cause: error,
    next: 'Nothing is changed without a journal to undo it by. Make room there, or set SOCKDOC_STATE_DIR.',
  });
}
