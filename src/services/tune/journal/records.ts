import { createHash } from 'node:crypto';
import type { NetnsIdentity, PlanRow } from '../../../model/tune/plan.js';
import type { Persisted, Skipped } from '../../../model/tune/results.js';

/** Values by key. */
export type Values = Record<string, string>;

/** What the journal keeps of a row of the plan. */
export type JournalRow = Pick<PlanRow, 'key' | 'kind' | 'from' | 'to' | 'scope'> & { startTicks?: number };

/** The first record of an entry: everything that is going to be written. On the disk before the first write. */
export interface Header {
  type: 'entry';
  schemaVersion: 1;
  id: string;
  at: string;
  version: string;
  pid: number;
  bootId: string;
  netns: NetnsIdentity;
  profile: string;
  rows: JournalRow[];
  persist: boolean;
  /** Revert by itself that many seconds after the end of the writing, unless confirmed. */
  confirmWithinS?: number;
}

/** A file of --persist, by its text before (null: there was none) and after. */
export interface FileChange {
  file: string;
  before: string | null;
  after: string;
  /** A symbolic link, the texts are where it leads to. */
  link?: boolean;
}

export type JournalRecord =
  | Header
  /** About to write a row: what it and its coupled keys are now. Without a `wrote` after it the row is in flight. */
  | { type: 'writing'; row: number; before: Values }
  /** What the row's key and its coupled keys are after it. */
  | { type: 'wrote'; row: number; after: Values }
  /** About to change files of --persist. */
  | { type: 'persisting'; files: FileChange[]; persisted: Persisted[] }
  | { type: 'applied'; at: string; confirmBefore?: string }
  | { type: 'confirmed'; at: string }
  /** All was taken back at once, because a write failed or somebody interrupted. */
  | { type: 'undone'; at: string; reason: string }
  | { type: 'reverted'; at: string; kept: Skipped[] };

/** A line of the journal: a digest, a blank, the record as JSON. */
export function lineOf(record: JournalRecord): string {
  const json = JSON.stringify(record);
  return `${digest(json)} ${json}\n`;
}

/** The records of a journal in their order; lines that are cut short or damaged are left out, and counted. */
export function recordsOf(text: string): { records: JournalRecord[]; damaged: number } {
  const lines = text.split('\n').filter((line) => line !== '');
  const records = lines.flatMap((line): JournalRecord[] => {
    const json = line.slice(17);
    return line.slice(0, 17) === `${digest(json)} ` ? [JSON.parse(json) as JournalRecord] : [];
  });
  return { records, damaged: lines.length - records.length };
}

const digest = (json: string): string => createHash('sha256').update(json).digest('hex').slice(0, 16);
