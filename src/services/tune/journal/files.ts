import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { openAtomic } from '../../../support/atomic-file.js';
import { crashPoint } from '../crash-point.js';
import { guarded, journalFolder } from '../state.js';
import { type Entry, entryOf } from './entry.js';
import { type Header, type JournalRecord, lineOf, recordsOf } from './records.js';

const ENDING = '.journal';
const pathOf = (id: string): string => join(journalFolder(), `${id}${ENDING}`);

/** An id that sorts by time, to the millisecond: "20261121-160312345-4f". */
export function newId(now: Date): string {
  const [day, time] = now
    .toISOString()
    .replace(/[-:.Z]/g, '')
    .split('T');
  return `${day}-${time}-${randomBytes(1).toString('hex')}`;
}

/** Makes the entry: it is on the disk, under its name, when this returns. */
export function createEntry(header: Header): void {
  const path = pathOf(header.id);
  crashPoint();
  guarded(path, () => openAtomic(path).commit(Buffer.from(lineOf(header))));
  crashPoint();
}

/** Adds a record, and brings it to the disk. */
export function appendRecord(id: string, record: JournalRecord): void {
  const path = pathOf(id);
  crashPoint();
  guarded(path, () => {
    const fd = openSync(path, 'a+', 0o600);
    try {
      const line = Buffer.from(`${endsWithin(fd) ? '\n' : ''}${lineOf(record)}`);
      for (let at = 0; at < line.length; ) at += writeSync(fd, line, at);
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  });
  crashPoint();
}

/** Whether the last line was cut short: the next record must not become part of it. */
function endsWithin(fd: number): boolean {
  const { size } = fstatSync(fd);
  const last = Buffer.alloc(1);
  return size > 0 && readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a;
}

/** An entry, or its id alone where its header cannot be read. */
export type Listed = { id: string; entry?: Entry };

/** All entries, newest first. */
export function listEntries(): Listed[] {
  const folder = journalFolder();
  if (!existsSync(folder)) return [];
  const names = guarded(folder, () => readdirSync(folder));
  return names
    .filter((name) => name.endsWith(ENDING) && !name.startsWith('.'))
    .map((name) => name.slice(0, -ENDING.length))
    .toSorted()
    .reverse()
    .map((id) => readEntry(id));
}

export function readEntry(id: string): Listed {
  const text = guarded(pathOf(id), () => readFileSync(pathOf(id), 'utf8'));
  const { records, damaged } = recordsOf(text);
  const entry = entryOf(records, damaged);
  return { id, ...(entry ? { entry } : {}) };
}
