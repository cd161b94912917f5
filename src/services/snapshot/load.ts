import { readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { FormatRegistry } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { SNAPSHOT_SCHEMA_VERSION, Snapshot } from '../../model/snapshot/index.js';
import { notPermitted, type SockdocError, usageError } from '../../support/errors.js';

/** A snapshot of 100,000 sockets is some megabytes; anything far larger is something else. */
const MAX_BYTES = 400 * 2 ** 20;
const EXPECTED = 'Expected: a file that was written by: sockdoc check --save FILE';

/** Reads what --save wrote, plain or compressed. Every way in which it can be wrong is told apart. */
export function loadSnapshot(path: string): Snapshot {
  const value = parse(path, unpack(path, readBytes(path)));
  requireSnapshot(path, value);
  return value;
}

function readBytes(path: string): Buffer {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw wrong(path, 'is a directory');
    if (stat.size > MAX_BYTES) throw wrong(path, `is larger than any snapshot (${stat.size} bytes)`);
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw wrong(path, 'does not exist', error);
    if (code === 'EACCES' || code === 'EPERM')
      throw notPermitted(`the snapshot ${path} may not be read`, {
        cause: error,
        next: `Read it as its owner: sudo sockdoc check --snapshot ${path}`,
      });
    throw 'kind' in (error as Error) ? error : wrong(path, `cannot be read: ${(error as Error).message}`, error);
  }
}

function unpack(path: string, bytes: Buffer): string {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.toString('utf8');
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_BYTES }).toString('utf8');
  } catch (error) {
    const truncated = (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
    throw wrong(
      path,
      truncated ? 'is truncated: the compressed data ends too early' : 'is damaged: it cannot be unpacked',
      error,
    );
  }
}

function parse(path: string, text: string): unknown {
  if (text.trim() === '') throw wrong(path, 'is empty');
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as SyntaxError;
    const begins = text.trimStart().startsWith('{"format":"sockdoc-snapshot"');
    const cut = /end of JSON input|Unterminated string|after (array element|property)/i.test(message);
    if (begins && cut) throw wrong(path, `is truncated: it ends after ${Buffer.byteLength(text)} bytes`, error);
    throw wrong(path, `is not JSON: ${message}`, error);
  }
}

function requireSnapshot(path: string, value: unknown): asserts value is Snapshot {
  if (typeof value !== 'object' || value === null || (value as Partial<Snapshot>).format !== 'sockdoc-snapshot') {
    throw wrong(path, `is JSON, but not a snapshot of sockdoc${looksLike(value)}`);
  }
  const { schemaVersion, version } = value as Partial<Snapshot>;
  if (typeof schemaVersion === 'number' && schemaVersion > SNAPSHOT_SCHEMA_VERSION) {
    throw usageError(
      `the snapshot ${path} is newer than this sockdoc: it has format version ${schemaVersion} (of sockdoc ${String(version)}), this one reads up to ${SNAPSHOT_SCHEMA_VERSION}`,
      { next: `Judge it with sockdoc ${String(version)} or later.` },
    );
  }
  FormatRegistry.Set('date-time', (text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)));
  const compiled = TypeCompiler.Compile(Snapshot);
  if (!compiled.Check(value)) {
    const first = compiled.Errors(value).First();
    throw wrong(path, `is damaged: ${first?.path || '/'}: ${first?.message.toLowerCase()}`);
  }
  requireSameNamespaces(path, value);
}

/** Readings speak of the namespaces that the facts describe. */
function requireSameNamespaces(path: string, { netns, readings }: Snapshot): void {
  const ids = netns.map((namespace) => namespace.id).join();
  if (readings.some((reading) => reading.netns.map((namespace) => namespace.id).join() !== ids))
    throw wrong(path, 'is damaged: its readings are of other network namespaces than its facts');
}

function looksLike(value: unknown): string {
  const { command } = (value ?? {}) as { command?: unknown };
  return command === 'check' ? ': it is the answer of sockdoc check --json; --save writes the snapshot' : '';
}

function wrong(path: string, problem: string, cause?: unknown): SockdocError {
  return usageError(`the snapshot ${path} ${problem}`, { next: EXPECTED, ...(cause === undefined ? {} : { cause }) });
}
