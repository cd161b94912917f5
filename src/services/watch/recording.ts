import { readFileSync, statSync } from 'node:fs';
import { constants, gunzipSync } from 'node:zlib';
import { FormatRegistry } from '@sinclair/typebox';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import { Frame } from '../../model/views/frame.js';
import { notPermitted, type SockdocError, usageError } from '../../support/errors.js';

/** Hours of a busy host; more is better cut than held in memory. */
const MAX_BYTES = 2 ** 30;
const EXPECTED = 'Expected: a file that was written by: sockdoc top --record FILE';
const LINE_FEED = 0x0a;

/** What --record wrote, held as it was read: a frame is only parsed, and checked against its schema, when it is shown. */
export class Recording {
  readonly #path: string;
  readonly #bytes: Buffer;
  /** Where each whole line begins, and behind the last one. */
  readonly #starts: number[];
  /** Whether the file ends within a frame, which is left out. */
  readonly isCut: boolean;
  #schema: TypeCheck<typeof Frame> | undefined;

  constructor(path: string) {
    this.#path = path;
    const { bytes, isCut } = unpack(path, readBytes(path));
    this.#bytes = bytes;
    this.#starts = lineStarts(bytes);
    this.isCut = isCut || this.#starts.at(-1) !== bytes.length;
    if (this.count === 0)
      throw wrong(path, bytes.length === 0 ? 'is empty' : 'ends before its first frame is complete');
    this.frame(0);
  }

  get count(): number {
    return this.#starts.length - 1;
  }

  frame(index: number): Frame {
    const text = this.#bytes.toString('utf8', this.#starts[index], this.#starts[index + 1]);
    const value = parse(this.#path, text, index);
    this.#schema ??= frameSchema();
    if (this.#schema.Check(value)) return value;
    const first = this.#schema.Errors(value).First();
    throw wrong(this.#path, `is damaged in frame ${index + 1}: ${first?.path || '/'}: ${first?.message.toLowerCase()}`);
  }
}

function frameSchema(): TypeCheck<typeof Frame> {
  FormatRegistry.Set('date-time', (text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)));
  return TypeCompiler.Compile(Frame);
}

function parse(path: string, text: string, index: number): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const problem = index === 0 ? 'is no recording: its first line is not JSON' : `is damaged in frame ${index + 1}`;
    throw wrong(path, problem, error);
  }
  const { command, schemaVersion, version } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (command !== 'top') throw wrong(path, 'is JSON, but no recording of sockdoc top');
  if (typeof schemaVersion === 'number' && schemaVersion > 1)
    throw usageError(`the recording ${path} is newer than this sockdoc: it is of version ${String(version)}`, {
      next: `Play it with sockdoc ${String(version)} or later.`,
    });
  return value;
}

function readBytes(path: string): Buffer {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw wrong(path, 'is a directory');
    if (stat.size > MAX_BYTES) throw tooLarge(path);
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if ('kind' in (error as Error)) throw error;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw wrong(path, 'does not exist', error);
    if (code === 'EACCES' || code === 'EPERM')
      throw notPermitted(`the recording ${path} may not be read`, {
        cause: error,
        next: `Read it as its owner: sudo sockdoc top --replay ${path}`,
      });
    throw wrong(path, `cannot be read: ${(error as Error).message}`, error);
  }
}

/** Each frame is compressed on its own; the last may be cut anywhere. */
function unpack(path: string, bytes: Buffer): { bytes: Buffer; isCut: boolean } {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return { bytes, isCut: false };
  try {
    return { bytes: gunzipSync(bytes, { maxOutputLength: MAX_BYTES }), isCut: false };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(path);
    if (code !== 'Z_BUF_ERROR') throw wrong(path, 'is damaged: it cannot be unpacked', error);
  }
  const { Z_SYNC_FLUSH } = constants;
  return { bytes: gunzipSync(bytes, { finishFlush: Z_SYNC_FLUSH, maxOutputLength: MAX_BYTES }), isCut: true };
}

function lineStarts(bytes: Buffer): number[] {
  const starts = [0];
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) starts.push(at + 1);
  return starts;
}

const tooLarge = (path: string) =>
  usageError(`the recording ${path} is longer than what can be played at once (1 GiB unpacked)`, {
    next: `Play a part of it: zcat -f ${path} | head -n 3600 > part.ndjson; sockdoc top --replay part.ndjson`,
  });

function wrong(path: string, problem: string, cause?: unknown): SockdocError {
  return usageError(`the recording ${path} ${problem}`, { next: EXPECTED, ...(cause === undefined ? {} : { cause }) });
}
