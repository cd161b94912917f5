import { readFileSync, statSync } from 'node:fs';
import { FormatRegistry } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { Plan, type PlanRow } from '../../../model/tune/plan.js';
import { notPermitted, type SockdocError, usageError } from '../../../support/errors.js';
import { tunableOf } from '../../../tunables/catalogue/index.js';
import { isLess, problemOf } from '../../../tunables/form.js';

/** A plan has tens of rows. */
const MAX_BYTES = 16 * 2 ** 20;
const EXPECTED = 'Expected: a file that was written by: sockdoc tune --save-plan FILE';

/** Reads what --save-plan wrote. A row that no plan of ours could have is refused: files are edited. */
export function loadPlan(path: string): Plan {
  const value = parse(path, read(path));
  const { command, schemaVersion } = (value ?? {}) as Partial<Plan>;
  if (command !== 'tune plan') throw wrong(path, 'is JSON, but not a plan of sockdoc');
  if (schemaVersion !== 1) throw wrong(path, `has format version ${schemaVersion}; this sockdoc reads version 1`);
  FormatRegistry.Set('date-time', (text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)));
  const compiled = TypeCompiler.Compile(Plan);
  if (!compiled.Check(value)) {
    const first = compiled.Errors(value).First();
    throw wrong(path, `is damaged: ${first?.path || '/'}: ${first?.message.toLowerCase()}`);
  }
  for (const row of value.rows) requireKnown(path, row);
  return value;
}

function requireKnown(path: string, { key, kind, from, to, scope }: PlanRow): void {
  const tunable = tunableOf(key);
  if (!tunable || tunable.kind !== kind) throw wrong(path, `has a row that sockdoc may not write: ${kind} ${key}`);
  if (tunable.scope !== scope)
    throw wrong(path, `says that ${key} belongs to the ${scope}; it belongs to the ${tunable.scope}`);
  const problem = problemOf(tunable.form, to);
  if (problem) throw wrong(path, `sets ${key} to what it cannot be: ${problem}`);
  if (tunable.raiseOnly && isLess(tunable.form, from, to)) throw wrong(path, `lowers ${key} from ${from} to ${to}`);
}

function read(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > MAX_BYTES) throw wrong(path, `is larger than any plan (${size} bytes)`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw wrong(path, 'does not exist', error);
    if (code === 'EISDIR') throw wrong(path, 'is a directory', error);
    if (code === 'EACCES' || code === 'EPERM')
      throw notPermitted(`the plan ${path} may not be read`, {
        cause: error,
        next: 'Read it as its owner, or as root.',
      });
    throw 'kind' in (error as Error) ? error : wrong(path, `cannot be read: ${(error as Error).message}`, error);
  }
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrong(path, `is not JSON: ${(error as SyntaxError).message}`, error);
  }
}

function wrong(path: string, problem: string, cause?: unknown): SockdocError {
  return usageError(`the plan ${path} ${problem}`, { next: EXPECTED, ...(cause === undefined ? {} : { cause }) });
}
