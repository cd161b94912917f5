import { readSettings } from '../../control/settings/read.js';
import { writeSetting } from '../../control/settings/write.js';
import type { Applied } from '../../model/tune/results.js';
import { crashPoint } from './crash-point.js';
import type { Step } from './journal/entry.js';
import { appendRecord } from './journal/files.js';
import type { Values } from './journal/records.js';
import { improves, reasonOf, sameSetting } from './values.js';
import type { Wanted } from './wanted.js';

/** A write of a plan that did not succeed. */
export class WriteFailure extends Error {
  constructor(
    readonly key: string,
    reason: string,
  ) {
    super(reason);
  }
}

interface Writing {
  /** Of the journal's entry. */
  id: string;
  /** Which row of it. */
  at: number;
  row: Wanted;
  netns: string;
  /** The step is put in here before its write, so that whoever undoes them finds it. */
  steps: Step[];
}

/**
 * Writes one row between its two records in the journal, and reads back what the kernel made of it. Undefined when an
 * earlier row has brought it about already. Throws WriteFailure.
 */
export async function writeStep({ id, at, row, netns, steps }: Writing): Promise<Applied | undefined> {
  const before = await valuesOf([row.key, ...row.coupled], netns);
  const former = before[row.key];
  if (former === undefined) throw new WriteFailure(row.key, 'it was there a moment ago, and cannot be read any more');
  if (sameSetting(row.key, former, row.to)) return undefined;
  appendRecord(id, { type: 'writing', row: at, before });
  const step: Step = { row, before };
  steps.push(step);
  crashPoint();
  const answer = await writeSetting(row.key, row.to, netns);
  crashPoint();
  const after = await valuesOf([row.key, ...row.coupled], netns);
  step.after = changed(row.key, before, after);
  if (answer.errno !== undefined) throw new WriteFailure(row.key, reasonOf(answer.errno, row.kind));
  const actual = after[row.key];
  if (actual === undefined) throw new WriteFailure(row.key, 'it was written, and cannot be read any more');
  if (!sameSetting(row.key, actual, row.to) && !improves(former, row.to, actual))
    throw new WriteFailure(row.key, `"${row.to}" was written, and the kernel made it "${actual}"`);
  appendRecord(id, { type: 'wrote', row: at, after: step.after });
  return appliedOf(row, former, actual, before, step.after);
}

async function valuesOf(keys: readonly string[], netns: string): Promise<Values> {
  const readings = await readSettings(keys, netns);
  return Object.fromEntries(
    [...readings].flatMap(([key, reading]) => ('value' in reading ? [[key, reading.value]] : [])),
  );
}

/** The row's own value and what has changed beside it. */
const changed = (key: string, before: Values, after: Values): Values =>
  Object.fromEntries(Object.entries(after).filter(([name, value]) => name === key || before[name] !== value));

function appliedOf(row: Wanted, from: string, to: string, before: Values, after: Values): Applied {
  const coupled = Object.entries(after)
    .filter(([key]) => key !== row.key && before[key] !== undefined)
    .map(([key, value]) => ({ key, from: before[key] as string, to: value }));
  return {
    key: row.key,
    from,
    to,
    ...(sameSetting(row.key, to, row.to) ? {} : { asked: row.to }),
    ...(coupled.length > 0 ? { coupled } : {}),
  };
}
