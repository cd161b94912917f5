import {
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { notPermitted, notPossible, type SockdocError, usageError } from './errors.js';

/** A file that appears whole or not at all. */
export interface AtomicFile {
  /** Writes everything, brings it to the disk and gives the file its name. */
  commit(content: Uint8Array): void;
  /** Removes what was not committed. Harmless after commit. */
  discard(): void;
}

/**
 * Opens a temporary neighbour of the file, so that a path that cannot be written is known before the work and not after it.
 * A device or a pipe is written directly: renaming over /dev/null would replace the device. A new file gets `newMode`: as a
 * rule only its owner reads it, because command lines and addresses of other users are in it.
 */
export function openAtomic(path: string, newMode = 0o600): AtomicFile {
  try {
    const target = existsSync(path) ? realpathSync(path) : path;
    const existing = statSync(target, { throwIfNoEntry: false });
    if (existing?.isDirectory()) throw usageError(`${path} is a directory, not a file to write`, example);
    return existing && !existing.isFile() ? direct(path) : temporary(path, target, existing?.mode ?? newMode);
  } catch (error) {
    throw writeError(path, error);
  }
}

function direct(path: string): AtomicFile {
  const fd = openSync(path, 'w');
  return {
    commit: (content) => guarded(path, () => writeAll(fd, content)),
    discard: () => closeSync(fd),
  };
}

function temporary(path: string, target: string, mode: number): AtomicFile {
  const name = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
  const fd = openSync(name, 'wx', 0o600);
  let open = true;
  const discard = () => {
    if (!open) return;
    open = false;
    process.off('exit', discard);
    closeSync(fd);
    unlinkSync(name);
  };
  process.on('exit', discard);
  return {
    commit: (content) =>
      guarded(path, () => {
        writeAll(fd, content);
        fchmodSync(fd, mode & 0o777);
        fsyncSync(fd);
        renameSync(name, target);
        open = false;
        process.off('exit', discard);
        closeSync(fd);
        syncFolder(dirname(target));
      }),
    discard,
  };
}

function writeAll(fd: number, content: Uint8Array): void {
  let at = 0;
  while (at < content.length) at += writeSync(fd, content, at);
  if (fstatSync(fd).isFile() && fstatSync(fd).size < content.length)
    throw new Error('the file is shorter than it should be');
}

/** The new name must survive a crash too. Some file systems cannot sync a folder: then it is their promise to keep. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } catch {
    // EINVAL where folders cannot be synced.
  } finally {
    closeSync(fd);
  }
}

function guarded(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw writeError(path, error);
  }
}

const example = { next: 'A file in a folder that is there was expected, such as /var/tmp/FILE.' };

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EIO: 'the disk reports an input/output error',
  EFBIG: 'the file is larger than this file system or the file-size limit allows',
};

function writeError(path: string, error: unknown): SockdocError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const details = { cause: error, ...example };
  if (!(error instanceof Error) || !('code' in error) || 'kind' in error) return error as SockdocError;
  if (code === 'EACCES' || code === 'EPERM')
    return notPermitted(`${path} cannot be written: permission denied`, {
      cause: error,
      next: 'Choose a folder that you may write to, or run the same command with sudo.',
    });
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return usageError(`${path} cannot be written: there is no such folder`, details);
  if (code === 'ENAMETOOLONG')
    return usageError(`${path.slice(0, 60)}… cannot be written: the name is too long`, details);
  const reason = REASONS[code] ?? message;
  return notPossible(`${path} was not written: ${reason}; nothing half written was left behind`, {
    cause: error,
    next: 'Save it elsewhere.',
  });
}
