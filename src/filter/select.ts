import type { ConnectionRow } from '../model/views/connections.js';
import type { ConnectionSort, FrameRequest } from '../model/views/request.js';
import { endpoint } from './addresses.js';
import { matches } from './matches.js';

type Selection = Pick<FrameRequest, 'sort' | 'reverse' | 'filter' | 'limit' | 'keep'>;

export interface Selected {
  rows: ConnectionRow[];
  /** How many met the filter, before the limit. */
  matching: number;
}

/** The rows that a request asks for, in its order, as the native reading chooses them: for rows that are already here. */
export function select(rows: readonly ConnectionRow[], { sort, reverse, filter, limit, keep }: Selection): Selected {
  const matching = ordered(
    rows.filter((row) => matches(filter, row)),
    sort,
    reverse,
  );
  const first = matching.slice(0, limit);
  const kept = keep.length === 0 ? [] : rows.filter((row) => keep.includes(row.cookie) && !first.includes(row));
  return { rows: [...first, ...kept], matching: matching.length };
}

/**
 * Rows that lack the field come last either way, of them those that only wait to be forgotten; equal rows keep one order, so
 * that they do not jump.
 */
function ordered(rows: readonly ConnectionRow[], sort: ConnectionSort, reverse: boolean): ConnectionRow[] {
  const key = KEYS[sort];
  const sign = reverse ? -1 : 1;
  return rows
    .map((row) => ({ row, value: key(row) ?? Number.NEGATIVE_INFINITY * sign }))
    .sort((a, b) =>
      a.value === b.value ? byState(a.row, b.row) || byCookie(a.row, b.row) : (b.value > a.value ? 1 : -1) * sign,
    )
    .map(({ row }) => row);
}

const byState = (a: ConnectionRow, b: ConnectionRow) =>
  Number(a.state === 'time-wait') - Number(b.state === 'time-wait');

const byCookie = (a: ConnectionRow, b: ConnectionRow) =>
  a.cookie.length - b.cookie.length || (a.cookie < b.cookie ? -1 : a.cookie > b.cookie ? 1 : 0);

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}

const allBytes = (row: ConnectionRow) => sum(row.bytesSent, row.bytesReceived);

const KEYS: Readonly<Record<ConnectionSort, (row: ConnectionRow) => number | undefined>> = {
  rate: (row) => (row.rates === undefined ? allBytes(row) : sum(row.rates.sendBps, row.rates.receiveBps)),
  tx: (row) => row.rates?.sendBps,
  rx: (row) => row.rates?.receiveBps,
  rtt: (row) => row.rttUs,
  retrans: (row) => row.retransmits,
  retransrate: (row) => row.rates?.retransmitsPerS,
  bytes: allBytes,
  // What a listener has in place of a send queue is its backlog, and nothing that waits.
  queue: (row) => row.recvQueueBytes + (row.state === 'listen' ? 0 : row.sendQueueBytes),
  drops: (row) => row.drops,
  age: (row) => row.ageMs,
  pid: (row) => row.pid,
  port: (row) => endpoint(row.local).port,
};
