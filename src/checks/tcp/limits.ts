import type { Evidence } from '../../model/results.js';
import type { Connection } from '../../model/snapshot/index.js';
import type { NetContext } from '../check.js';
import type { NetView } from '../view.js';
import { judgedConnections } from './sockets.js';

const RECEIVE_CAP = 'net.ipv4.tcp_rmem';
const SEND_CAP = 'net.ipv4.tcp_wmem';
/**
 * What is in flight at the shortest RTT must fill this share of the window, for the window to be the limit. Autotuning
 * aims at twice what is in flight: half a window full is what a connection looks like that something else limits.
 */
const FILLED = 0.7;
/** A reader that leaves more than this share of its buffer unread is itself the limit. */
const UNREAD = 0.25;
/** A send buffer that full has no room for another write. */
const FULL = 0.9;
/** By so much the congestion window exceeds what is in flight, where it is not the limit. */
const ROOM = 1.2;
/** Less busy than this share of the window, and there is no throughput worth a word. */
const BUSY = 0.1;
/** 256 MiB: what ESnet sets for hosts of 40 Gbit/s and more; nobody needs more of it by default. */
const LARGEST = 2 ** 28;

/** A connection whose throughput is bound by a buffer of this host, or by the window of its peer. */
export interface Limit {
  connection: Connection;
  by: 'receive-buffer' | 'send-buffer' | 'peer-window';
  /** Bytes of the buffer, or of the peer's window. */
  bytes: number;
  locked: boolean;
  /** The sysctl whose third value caps it, and its triple with a larger one. */
  key: string;
  wanted: string;
  evidence: Evidence[];
}

/** Connections that a window or a buffer limits within the window; undefined where that cannot be told. */
export function limits(context: NetContext, minimumPercent: number): Limit[] | undefined {
  const connections = judgedConnections(context);
  if (connections === undefined || context.net.first === undefined) return undefined;
  const shown = new Set(connections.map(({ local, remote }) => `${local} ${remote}`));
  return connections.flatMap((connection) => {
    const { net } = context;
    const found = receiveLimit(net, connection) ?? sendLimit(net, connection, minimumPercent);
    if (found) return [found];
    const peerIsHere = shown.has(`${connection.remote} ${connection.local}`);
    return peerIsHere ? [] : (peerLimit(net, connection, minimumPercent) ?? []);
  });
}

/** We receive, read all at once, and yet a whole window is in flight: it is too small for this path. */
function receiveLimit(net: NetView, connection: Connection): Limit | undefined {
  const { memory, window, minRttUs, recvQueueBytes } = connection;
  const cap = net.sysctlNumbers(RECEIVE_CAP)[2];
  if (!memory || !window?.bytesReceived || !minRttUs || cap === undefined) return undefined;
  const locked = connection.options?.receiveBufferLocked === true;
  if (memory.receiveBuffer < cap && !locked) return undefined;
  if (recvQueueBytes > UNREAD * memory.receiveBuffer) return undefined;
  const offered = connection.receiveWindowBytes ?? memory.receiveBuffer / 2;
  const inFlight = (window.bytesReceived / (window.ms * 1000)) * minRttUs;
  if (inFlight < FILLED * offered) return undefined;
  return limit(net, connection, 'receive-buffer', memory.receiveBuffer, locked, cap, [
    { source: 'sock_diag', key: 'received', value: window.bytesReceived, unit: 'bytes', scope: 'window' },
    { source: 'tcp_info', key: 'window offered', value: Math.round(offered), unit: 'bytes', scope: 'now' },
  ]);
}

/** All that the send buffer holds is in flight and the program waits for room. */
function sendLimit(net: NetView, connection: Connection, minimumPercent: number): Limit | undefined {
  const { memory } = connection;
  const percent = share(connection, connection.window?.sendBufferLimitedUs);
  const cap = net.sysctlNumbers(SEND_CAP)[2];
  if (!memory || percent === undefined || cap === undefined) return undefined;
  const locked = connection.options?.sendBufferLocked === true;
  if (memory.sendBuffer < cap && !locked) return undefined;
  if (percent <= minimumPercent && !allInFlight(connection)) return undefined;
  return limit(net, connection, 'send-buffer', memory.sendBuffer, locked, cap, [
    { source: 'tcp_info', key: 'send buffer limited', value: round(percent), unit: '%', scope: 'window' },
    { source: 'sock_diag', key: 'send queue', value: connection.sendQueueBytes, unit: 'bytes', scope: 'now' },
    { source: 'tcp_info', key: 'not sent', value: connection.notSentBytes ?? 0, unit: 'bytes', scope: 'now' },
  ]);
}

/**
 * The kernel's clock of send-buffer-limited time misses a program that writes again as soon as it may. Then it shows
 * by this: the buffer is full and none of it unsent, the congestion window would allow more, and a round trip carries
 * all of it.
 */
function allInFlight({ memory, window, minRttUs, sendQueueBytes, notSentBytes, ...tcp }: Connection): boolean {
  const { cwndSegments = 0, mssBytes = 0 } = tcp;
  if (!memory || !window?.bytesSent || !minRttUs || notSentBytes === undefined) return false;
  const full = memory.sendQueued >= FULL * memory.sendBuffer && notSentBytes <= mssBytes;
  const allowed = cwndSegments * mssBytes > ROOM * sendQueueBytes;
  return full && allowed && (window.bytesSent / (window.ms * 1000)) * minRttUs >= FILLED * sendQueueBytes;
}

/** The peer's window is open, full, and stays so: its buffer is too small for this path (if its program reads). */
function peerLimit(net: NetView, connection: Connection, minimumPercent: number): Limit | undefined {
  const { window, minRttUs, sendWindowBytes } = connection;
  const percent = share(connection, window?.receiveWindowLimitedUs);
  if (percent === undefined || percent <= minimumPercent || !window?.bytesSent || !minRttUs) return undefined;
  if (!sendWindowBytes || (window.bytesSent / (window.ms * 1000)) * minRttUs < FILLED * sendWindowBytes)
    return undefined;
  return limit(net, connection, 'peer-window', sendWindowBytes, false, 0, [
    { source: 'tcp_info', key: 'receive window limited', value: round(percent), unit: '%', scope: 'window' },
  ]);
}

/** Share of the time with data in flight, of connections that were busy for a good part of the window. */
function share({ window }: Connection, us: number | undefined): number | undefined {
  if (!window?.busyUs || us === undefined || window.busyUs < BUSY * window.ms * 1000) return undefined;
  return (100 * us) / window.busyUs;
}

const round = (value: number): number => Math.round(value * 10) / 10;

function limit(
  net: NetView,
  connection: Connection,
  by: Limit['by'],
  bytes: number,
  locked: boolean,
  cap: number,
  evidence: Evidence[],
): Limit {
  const key = by === 'send-buffer' ? SEND_CAP : RECEIVE_CAP;
  const [least = 4096, initial = 131_072] = net.sysctlNumbers(key);
  return {
    connection,
    by,
    bytes,
    locked,
    key,
    wanted: `${least} ${initial} ${larger(net, connection, cap)}`,
    evidence: [
      ...evidence,
      { source: 'tcp_info', key: 'minimum RTT', value: connection.minRttUs ?? 0, unit: 'us', scope: 'now' },
      { source: 'sock_diag', key: by, value: bytes, unit: 'bytes', scope: 'now' },
      net.sysctlEvidence(key),
    ],
  };
}

/** Twice the bandwidth-delay product at the speed of the link, where it is known; at least twice what it is. */
function larger(net: NetView, { interface: name, minRttUs = 0 }: Connection, cap: number): number {
  const speeds = net.facts.links
    .filter((link) => link.up && link.type !== 'loopback' && (name === undefined || link.name === name))
    .map((link) => link.speedMbps ?? 0);
  const product = (Math.max(0, ...speeds) * minRttUs) / 8;
  return Math.max(2 * cap, Math.min(LARGEST, powerOfTwo(2 * product)));
}

const powerOfTwo = (value: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, value)));
