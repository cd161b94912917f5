import { readFileSync } from 'node:fs';
import type { ConnectionRow } from '../../src/model/views/connections.js';
import type { Filter } from '../../src/model/views/filter.js';

/** A text, the filter it means, and whether a row with these fields meets it. */
export interface FilterCase {
  text: string;
  filter: Filter;
  row: Partial<ConnectionRow>;
  matches: boolean;
}

/** One table for both ways in which rows are chosen: natively, and in a recording. */
export const filterCases = JSON.parse(
  readFileSync(new URL('./filter-cases.json', import.meta.url), 'utf8'),
) as FilterCase[];

/** A row of which only what is always there is known. */
export const connectionOf = (parts: Partial<ConnectionRow> = {}): ConnectionRow => ({
  cookie: '1',
  local: '127.0.0.1:1',
  remote: '127.0.0.1:2',
  state: 'established',
  ownerCount: 1,
  uid: 0,
  inode: 1,
  sendQueueBytes: 0,
  recvQueueBytes: 0,
  isLocal: false,
  transport: 'kernel',
  ...parts,
});
