import { select } from '../../filter/select.js';
import type { ConnectionRow } from '../../model/views/connections.js';
import { CONNECTION_SORTS } from '../../model/views/request.js';
import { bytes, count, microseconds, milliseconds } from '../../report/units.js';
import type { Span } from '../draw/spans.js';
import type { Column } from '../draw/table.js';
import { connectionDetail } from './connection-detail.js';
import { listTab, type Scene, UNREAD } from './tab.js';

const COLUMNS: readonly Column<ConnectionRow>[] = [
  { title: 'PROCESS', width: 8, max: 15, priority: 0, cell: (row) => row.comm },
  { title: 'PID', width: 7, priority: 6, align: 'right', sort: 'pid', cell: (row) => row.pid?.toString() },
  { title: 'LOCAL', width: 14, max: 32, priority: 0, sort: 'port', cell: (row) => row.local },
  { title: 'REMOTE', width: 14, max: 32, priority: 0, cell: (row) => row.remote },
  { title: 'STATE', width: 11, priority: 2, cell: (row) => stateCell(row) },
  { title: 'TX b/s', width: 7, priority: 1, align: 'right', sort: 'tx', cell: (row) => count(row.rates?.sendBps) },
  { title: 'RX b/s', width: 7, priority: 3, align: 'right', sort: 'rx', cell: (row) => count(row.rates?.receiveBps) },
  { title: 'RTT', width: 8, priority: 1, align: 'right', sort: 'rtt', cell: (row) => microseconds(row.rttUs) },
  { title: 'RETR', width: 6, priority: 4, align: 'right', sort: 'retrans', cell: (row) => retransmitsCell(row) },
  { title: 'SEND-Q', width: 8, priority: 5, align: 'right', sort: 'queue', cell: (row) => queue(row, 'send') },
  { title: 'RECV-Q', width: 8, priority: 5, align: 'right', cell: (row) => queue(row, 'recv') },
  { title: 'LIMITED BY', width: 14, priority: 4, cell: (row) => limitCell(row) },
  { title: 'SENT', width: 8, priority: 8, align: 'right', sort: 'bytes', cell: (row) => bytes(row.bytesSent) },
  { title: 'RECEIVED', width: 8, priority: 8, align: 'right', cell: (row) => bytes(row.bytesReceived) },
  { title: 'AGE', width: 7, priority: 9, align: 'right', sort: 'age', cell: (row) => milliseconds(row.ageMs) },
  { title: 'PEER', width: 12, max: 22, priority: 7, cell: (row) => row.peer && `${row.peer.comm} ${row.peer.pid}` },
  { title: 'WHERE', width: 10, max: 16, priority: 10, cell: (row) => row.container ?? row.netns },
];

export const connections = listTab<ConnectionRow>({
  title: 'Connections',
  columns: COLUMNS,
  sorts: CONNECTION_SORTS,
  isSorted: true,
  rows: selected,
  key: ({ cookie }) => cookie,
  mark: (row) => (troubleOf(row) === undefined ? ' ' : { text: '!', ink: 'yellow' }),
  empty: ({ frame: { totals }, state }) => {
    if (totals === undefined) return UNREAD;
    return state.filter.length > 0 && totals.sockets > 0 ? 'No connection meets the filter.' : 'No connections.';
  },
  detail: connectionDetail,
  find: (key, { frame }) => frame.connections.find(({ cookie }) => cookie === key),
});

function selected({ frame, state }: Scene): readonly ConnectionRow[] {
  const { sort, reverse } = state.tabs.connections;
  const by = CONNECTION_SORTS[sort % CONNECTION_SORTS.length] ?? 'rate';
  const limit = frame.connections.length;
  return select(frame.connections, { sort: by, reverse, filter: state.filter, limit, keep: [] }).rows;
}

/** Why a row has a mark, in words; undefined when nothing is wrong with it. */
export function troubleOf(row: ConnectionRow): string | undefined {
  const { state, rates, recvQueueBytes, sendQueueBytes } = row;
  if (state === 'listen') {
    const full = recvQueueBytes > 0 && recvQueueBytes >= sendQueueBytes;
    return full ? 'its accept queue is full: new connections are refused or dropped' : undefined;
  }
  if (state === 'close-wait') return 'the peer has closed it, and the process has not';
  if ((rates?.retransmitsPerS ?? 0) > 0) return 'segments are being retransmitted: the path loses or delays them';
  return (rates?.dropsPerS ?? 0) > 0 ? 'the socket drops what it receives' : undefined;
}

function stateCell({ state }: ConnectionRow): Span {
  if (state === 'close-wait' || state.startsWith('syn-')) return { text: state, ink: 'yellow' };
  return state === 'established' ? state : { text: state, ink: 'dim' };
}

function retransmitsCell({ retransmits, rates }: ConnectionRow): Span | undefined {
  const text = count(retransmits);
  if (text === undefined) return undefined;
  return (rates?.retransmitsPerS ?? 0) > 0 ? { text, ink: 'yellow' } : text;
}

function limitCell({ limitedBy }: ConnectionRow): Span | undefined {
  if (limitedBy === undefined || limitedBy === 'application') return limitedBy;
  return { text: limitedBy, ink: limitedBy === 'congestion' ? 'yellow' : 'cyan' };
}

/** Of a listener: connections that wait, and how many may. */
function queue(row: ConnectionRow, side: 'send' | 'recv'): string | undefined {
  const value = side === 'send' ? row.sendQueueBytes : row.recvQueueBytes;
  return row.state === 'listen' ? count(value) : bytes(value);
}
