import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Frame } from '../../model/views/frame.js';
import type { FrameRequest } from '../../model/views/request.js';
import { notPermitted, notPossible, type SockdocError, usageError } from '../../support/errors.js';
import type { FrameSource } from './source.js';

/**
 * The same frames, each written to a file before it is given on: one JSON text per line, compressed when the name ends in
 * .gz. Every frame is written whole and compressed on its own, so that whatever ends the program or cuts the file, all
 * frames before can be read. The file is made at once, for its owner only, and never replaces another.
 */
export function recorded(source: FrameSource, path: string): FrameSource {
  const fd = create(path);
  const compressed = path.endsWith('.gz');
  return {
    refresh: () => source.refresh(),
    async *start(request: Readonly<FrameRequest>, signal: AbortSignal) {
      try {
        for await (const frame of source.start(request, signal)) {
          append(path, fd, frame, compressed);
          yield frame;
        }
      } finally {
        closeSync(fd);
      }
    },
  };
}

function create(path: string): number {
  try {
    // A device or a pipe is written as it is; a file that is there may be the recording of an incident.
    const existing = statSync(path, { throwIfNoEntry: false });
    if (existing?.isDirectory()) throw usageError(`${path} is a directory, not a file to write`, EXAMPLE);
    return openSync(path, existing && !existing.isFile() ? 'w' : 'wx', 0o600);
  } catch (error) {
    throw openError(path, error);
  }
}

function append(path: string, fd: number, frame: Frame, compressed: boolean): void {
  const text = Buffer.from(`${JSON.stringify(frame)}\n`);
  const bytes = compressed ? gzipSync(text, { level: 3 }) : text;
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOSPC' ? 'the disk is full' : message;
    throw notPossible(`the recording ${path} stopped: ${reason}`, {
      cause: error,
      next: `What was recorded before can be played: sockdoc top --replay ${path}`,
    });
  }
}

const EXAMPLE = { next: 'Example: sockdoc top --record /var/tmp/incident.ndjson.gz' };

function openError(path: string, error: unknown): SockdocError {
  const { code, message } = error as NodeJS.ErrnoException;
  const details = { cause: error, ...EXAMPLE };
  if ('kind' in (error as Error)) return error as SockdocError;
  if (code === 'EEXIST') return usageError(`${path} exists already, and a recording never replaces a file`, details);
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return usageError(`${path} cannot be written: there is no such folder`, details);
  if (code === 'EACCES' || code === 'EPERM')
    return notPermitted(`${path} cannot be written: permission denied`, {
      cause: error,
      next: 'Choose a folder that you may write to.',
    });
  return notPossible(`${path} cannot be written: ${message}`, details);
}
