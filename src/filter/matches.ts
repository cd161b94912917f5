import type { ConnectionRow } from '../model/views/connections.js';
import type { Filter, FilterField, FilterOperator, FilterTerm } from '../model/views/filter.js';
import { contains } from '../support/addresses.js';
import { endpoint } from './addresses.js';
import { FIELDS } from './fields.js';

type Value = string | number;

/** Whether a row meets all terms; the native reading decides in the same way. */
export function matches(filter: Filter, row: ConnectionRow): boolean {
  return filter.every((term) => meets(term, row));
}

function meets({ field, operator, values }: FilterTerm, row: ConnectionRow): boolean {
  const own = READERS[field](row).filter((value) => value !== undefined);
  if (own.length === 0) return false;
  const isAddress = FIELDS[field].kind === 'address';
  const equal = (a: Value, b: Value) => (isAddress ? contains(String(b), String(a)) : same(a, b));
  const any = (test: (a: Value, b: Value) => boolean) => own.some((a) => values.some((b) => test(a, b)));
  if (operator === '=') return any(equal);
  if (operator === '!=') return !any(equal);
  return any((a, b) => ordered(a, operator, b));
}

function same(own: Value, wanted: Value): boolean {
  if (typeof own !== typeof wanted) return false;
  if (typeof own === 'string' && typeof wanted === 'string' && wanted.endsWith('*'))
    return own.startsWith(wanted.slice(0, -1));
  return own === wanted;
}

function ordered(a: Value, operator: FilterOperator, b: Value): boolean {
  if (operator === '>') return a > b;
  if (operator === '>=') return a >= b;
  return operator === '<' ? a < b : a <= b;
}

const local = (row: ConnectionRow) => endpoint(row.local);
const remote = (row: ConnectionRow) => endpoint(row.remote);
const microseconds = (ms: number | undefined) => (ms === undefined ? undefined : ms * 1000);

function sum(...parts: (number | undefined)[]): number | undefined {
  const known = parts.filter((part) => part !== undefined);
  return known.length === 0 ? undefined : known.reduce((total, part) => total + part, 0);
}

/** The values of a row in the unit of the filter: several for what stands for both sides. */
const READERS: Readonly<Record<FilterField, (row: ConnectionRow) => (Value | undefined)[]>> = {
  pid: (row) => [row.pid],
  comm: (row) => [row.comm],
  fd: (row) => [row.fd],
  uid: (row) => [row.uid],
  state: (row) => [row.state],
  netns: (row) => [row.netns],
  container: (row) => [row.container],
  port: (row) => [local(row).port, remote(row).port],
  lport: (row) => [local(row).port],
  rport: (row) => [remote(row).port],
  addr: (row) => [local(row).address, remote(row).address],
  laddr: (row) => [local(row).address],
  raddr: (row) => [remote(row).address],
  peer: (row) => [row.peer?.comm, row.peer?.pid],
  rtt: (row) => [row.rttUs],
  rttvar: (row) => [row.rttVarUs],
  minrtt: (row) => [row.minRttUs],
  age: (row) => [microseconds(row.ageMs)],
  idle: (row) => [microseconds(row.idleMs)],
  retrans: (row) => [row.retransmits],
  retransrate: (row) => [row.rates?.retransmitsPerS],
  sendq: (row) => [row.sendQueueBytes],
  recvq: (row) => [row.recvQueueBytes],
  unsent: (row) => [row.notSentBytes],
  sent: (row) => [row.bytesSent],
  received: (row) => [row.bytesReceived],
  tx: (row) => [row.rates?.sendBps],
  rx: (row) => [row.rates?.receiveBps],
  rate: (row) => [sum(row.rates?.sendBps, row.rates?.receiveBps)],
  delivery: (row) => [row.deliveryRateBps],
  drops: (row) => [row.drops],
  cwnd: (row) => [row.cwndSegments],
  limit: (row) => [row.limitedBy],
  cc: (row) => [row.congestionControl],
  transport: (row) => [row.transport],
  local: (row) => [row.isLocal ? 1 : 0],
};
