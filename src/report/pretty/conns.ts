import type { ConnectionRow, ConnectionsDocument } from '../../model/views/connections.js';
import type { Cell, Column } from '../table.js';
import { bitRate, bytes, count, microseconds, milliseconds, perSecond } from '../units.js';
import { durationText } from '../values.js';
import { endedText } from './ended.js';
import { writeGaps } from './gaps.js';
import { type Ink, type Look, Paper } from './paper.js';

interface Options extends Look {
  verbose: boolean;
  /** The rows are fewer because of the terminal, not because that was asked for. */
  shortened: boolean;
}

/** The sockets for people: how many there are, the rows, and what could not be seen. */
export function prettyConns(document: ConnectionsDocument, options: Options): string {
  const { connections, totals, shortLived, gaps } = document;
  const paper = new Paper(options);
  paper.text(headline(document), { ink: 'bold' });
  if (shortLived) paper.text(endedText(shortLived), { rest: '  ' });
  if (connections.length > 0) {
    paper.table(COLUMNS, connections);
    const more = (totals?.matching ?? 0) - connections.length;
    if (more > 0) paper.text(`and ${more} more${options.shortened ? ' (--all)' : ''}`, { ink: 'dim' });
  } else if (totals !== undefined && totals.sockets > 0) paper.text('No socket meets what was asked for.');
  writeGaps(paper, gaps, options);
  return paper.toString();
}

/** Lines that are not rows, at most: for a terminal that shows as many rows as fit. */
export const FRAME_LINES = 12;

function headline({ totals, windowMs }: ConnectionsDocument): string {
  if (totals === undefined) return 'The TCP sockets could not be read.';
  const states = Object.entries(totals.states).toSorted((a, b) => b[1] - a[1]);
  const rates =
    windowMs === 0 ? [] : [`${bitRate(totals.sendBps) ?? '?'} out`, `${bitRate(totals.receiveBps) ?? '?'} in`];
  return [
    `${totals.sockets} TCP ${totals.sockets === 1 ? 'socket' : 'sockets'}`,
    ...(states.length > 0 ? [states.map(([state, number]) => `${number} ${state}`).join(', ')] : []),
    ...(totals.matching < totals.sockets ? [`${totals.matching} selected`] : []),
    ...rates,
    windowMs === 0 ? 'one reading' : `window ${durationText(windowMs)}`,
  ].join(' · ');
}

const SHORT: Readonly<Record<string, string>> = { established: 'estab', 'bound-inactive': 'bound' };

function coloured(text: string | undefined, ink: Ink | undefined): Cell {
  return text === undefined ? undefined : { text, ...(ink ? { ink } : {}) };
}

/** A zero is said, but must not draw the eye. */
const quiet = (value: number | undefined, text: string | undefined, ink?: Ink): Cell =>
  value === 0 ? coloured('0', 'dim') : coloured(text, ink);

function stateInk({ state, recvQueueBytes }: ConnectionRow): Ink | undefined {
  if (state === 'close-wait' || (state === 'listen' && recvQueueBytes > 0)) return 'yellow';
  if (state === 'established') return undefined;
  return state === 'listen' ? 'cyan' : 'dim';
}

const isListener = ({ state }: ConnectionRow) => state === 'listen';

/** A listener counts connections, the others bytes. */
const queue = (row: ConnectionRow, value: number): string | undefined =>
  isListener(row) ? String(value) : bytes(value);

function retransmits({ retransmits: total, rates }: ConnectionRow): Cell {
  const now = rates?.retransmitsPerS;
  if (now !== undefined && now > 0) return coloured(`${count(total)} (${perSecond(now)})`, 'red');
  return quiet(total, count(total));
}

const LIMIT_INK: Readonly<Record<string, Ink>> = {
  application: 'dim',
  'receive-window': 'yellow',
  'send-buffer': 'yellow',
  congestion: 'blue',
};

const holder = (of: { comm?: string; pid?: number; fd?: number } | undefined) =>
  of?.pid === undefined ? undefined : `${of.comm}[${of.pid}]:${of.fd}`;

type ConnectionColumn = Column<ConnectionRow>;
const right = { align: 'right' } as const;

/** Left to right as they are read; what goes first where the terminal is narrow has the highest priority number. */
const COLUMNS: ConnectionColumn[] = [
  { title: 'STATE', priority: 0, cell: (row) => coloured(SHORT[row.state] ?? row.state, stateInk(row)) },
  { title: 'LOCAL', priority: 0, min: 12, max: 48, cell: ({ local }) => local },
  { title: 'REMOTE', priority: 0, min: 12, max: 48, cell: (row) => (isListener(row) ? undefined : row.remote) },
  { title: 'PROCESS', priority: 1, min: 10, max: 32, cell: holder },
  { title: 'NETNS', priority: 8, min: 6, max: 16, cell: ({ netns }) => netns },
  { title: 'CONTAINER', priority: 9, min: 6, max: 16, cell: ({ container }) => container },
  { title: 'DEVICE', priority: 14, max: 16, cell: (row) => row.interface },
  {
    title: 'RECV-Q',
    priority: 3,
    ...right,
    cell: (row) => quiet(row.recvQueueBytes, queue(row, row.recvQueueBytes), 'yellow'),
  },
  { title: 'SEND-Q', priority: 3, ...right, cell: (row) => quiet(row.sendQueueBytes, queue(row, row.sendQueueBytes)) },
  { title: 'RTT', priority: 2, ...right, cell: ({ rttUs }) => microseconds(rttUs) },
  { title: '±', priority: 13, ...right, cell: ({ rttVarUs }) => microseconds(rttVarUs) },
  { title: 'MIN RTT', priority: 12, ...right, cell: ({ minRttUs }) => microseconds(minRttUs) },
  { title: 'RETRANS', priority: 5, ...right, cell: retransmits },
  { title: 'OUT', priority: 4, ...right, cell: ({ rates }) => quiet(rates?.sendBps, bitRate(rates?.sendBps)) },
  { title: 'IN', priority: 4, ...right, cell: ({ rates }) => quiet(rates?.receiveBps, bitRate(rates?.receiveBps)) },
  {
    title: 'LIMITED BY',
    priority: 4,
    cell: ({ limitedBy }) => coloured(limitedBy, limitedBy && LIMIT_INK[limitedBy]),
  },
  {
    title: 'PEER',
    priority: 6,
    min: 8,
    max: 28,
    cell: ({ peer, isLocal }) => holder(peer) ?? (isLocal ? coloured('on this host', 'dim') : undefined),
  },
  { title: 'SENT', priority: 7, ...right, cell: ({ bytesSent }) => quiet(bytesSent, bytes(bytesSent)) },
  { title: 'RECEIVED', priority: 7, ...right, cell: ({ bytesReceived }) => quiet(bytesReceived, bytes(bytesReceived)) },
  {
    title: 'DELIVERY',
    priority: 11,
    ...right,
    cell: (row) => quiet(row.deliveryRateBps, bitRate(row.deliveryRateBps)),
  },
  { title: 'IDLE', priority: 10, ...right, cell: ({ idleMs }) => milliseconds(idleMs) },
  { title: 'AGE', priority: 10, ...right, cell: ({ ageMs }) => milliseconds(ageMs) },
  { title: 'DROPS', priority: 10, ...right, cell: ({ drops }) => (drops ? coloured(count(drops), 'red') : undefined) },
  { title: 'CC', priority: 15, cell: ({ congestionControl }) => congestionControl },
  { title: 'TRANSPORT', priority: 6, cell: ({ transport }) => (transport === 'kernel' ? undefined : transport) },
];
