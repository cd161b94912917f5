import type { Filter } from './filter.js';

/** By what connections are ordered, the largest first: the screen starts with `rate`. */
export const CONNECTION_SORTS = [
  'rate', // tx + rx over the window; without a window like bytes
  'tx',
  'rx',
  'rtt',
  'retrans', // since it began
  'retransrate',
  'bytes', // sent + received since it began
  'queue', // send + receive queue
  'drops',
  'age',
  'pid',
  'port', // the local one
] as const;
export type ConnectionSort = (typeof CONNECTION_SORTS)[number];

/** Which rows of the next frames are wanted. */
export interface FrameRequest {
  /** From the beginning of one reading to the beginning of the next; a slower reading is not hurried. */
  intervalMs: number;
  sort: ConnectionSort;
  /** Smallest first. Rows that lack the field come last either way. */
  reverse: boolean;
  /** Which connections; their processes, threads and sums are not narrowed by it. Empty: all. */
  filter: Filter;
  /** Rows of connections at most, those of `keep` not counted. */
  limit: number;
  /** Cookies of connections that are wanted whatever the filter and the limit (the one that is looked at). */
  keep: string[];
}
