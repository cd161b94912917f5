import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FormatRegistry } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { BenchDocument } from '../../model/bench.js';
import { type AtomicFile, openAtomic } from '../../support/atomic-file.js';
import { notPermitted, notPossible, type SockdocError, usageError } from '../../support/errors.js';

const FILE = 'results.json';
const READABLE = 0o644;
const EXPECTED = 'Expected: a folder or file that was written by: sockdoc bench run rtt --out DIR';

/** A place for the results, before anything is measured: a folder that cannot be written is known then. */
export function openResults(folder: string): AtomicFile {
  const file = join(folder, FILE);
  if (existsSync(file))
    throw usageError(`${folder} holds results already`, {
      next: 'Choose another folder: results are not written over.\nExample: sockdoc bench run rtt --out bench-after',
    });
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOTDIR')
      throw usageError(`${folder} is no folder`, { cause: error, next: 'Example: --out bench-1' });
    if (code === 'EACCES' || code === 'EPERM')
      throw notPermitted(`${folder} may not be made`, { cause: error, next: 'Choose a folder that you may write to.' });
    throw notPossible(`${folder} was not made: ${message}`, { cause: error });
  }
  return openAtomic(file, READABLE);
}

/** What `bench run --out` or `--json` wrote: a folder or a file. */
export function loadResults(path: string): BenchDocument {
  const text = textOf(path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong(path, `is not JSON: ${(error as Error).message}`, error);
  }
  const { command } = (value ?? {}) as { command?: unknown };
  if (command !== 'bench run') throw wrong(path, 'holds no results of sockdoc bench run');
  FormatRegistry.Set('date-time', (word) => /^\d{4}-\d\d-\d\dT/.test(word) && !Number.isNaN(Date.parse(word)));
  const compiled = TypeCompiler.Compile(BenchDocument);
  if (compiled.Check(value)) return value;
  const first = compiled.Errors(value).First();
  throw wrong(path, `is damaged: ${first?.path || '/'}: ${first?.message.toLowerCase()}`);
}

function textOf(path: string): string {
  try {
    const file = statSync(path).isDirectory() ? join(path, FILE) : path;
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw wrong(path, 'holds no results: there is no such file', error);
    if (code === 'EACCES' || code === 'EPERM')
      throw notPermitted(`${path} may not be read`, { cause: error, next: 'Read it as its owner.' });
    throw wrong(path, `cannot be read: ${message}`, error);
  }
}

function wrong(path: string, problem: string, cause?: unknown): SockdocError {
  return usageError(`${path} ${problem}`, { next: EXPECTED, ...(cause === undefined ? {} : { cause }) });
}
