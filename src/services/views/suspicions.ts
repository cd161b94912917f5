import type { DescriptorDetail, DescriptorRow, DescriptorSuspicion, Suspicion } from '../../model/views/descriptors.js';
import type { DescriptorSource } from './descriptors.js';

const NEAR_LIMIT = 0.8;
/** Fewer come and go in any program. */
const MIN_GROWTH = 3;
/** Descriptors that grow with live connections are load. */
const LIVE = ['established', 'syn-sent', 'syn-recv', 'fin-wait-1', 'fin-wait-2'] as const;

/** What may be a leak in one process, from its numbers alone. */
export function suspicionsOf(
  row: DescriptorRow,
  now: DescriptorSource,
  before: DescriptorSource | undefined,
): DescriptorSuspicion[] {
  const known = row.closeWait === undefined ? {} : now.tcp;
  return [nearLimit(row), growth(row, now, before), closeWait(known), unconnected(known), inheritable(row)].filter(
    (suspicion) => suspicion !== undefined,
  );
}

const suspicion = (what: Suspicion, count: number, text: string): DescriptorSuspicion => ({ what, count, text });

function nearLimit({ open, softLimit, usedShare }: DescriptorRow) {
  if (usedShare === undefined || usedShare < NEAR_LIMIT) return undefined;
  const share = Math.floor(usedShare * 100);
  return suspicion(
    'near-limit',
    open,
    `${open} of ${softLimit} descriptors are open (${share} %): at the limit accept() and open() fail`,
  );
}

function growth(row: DescriptorRow, now: DescriptorSource, before: DescriptorSource | undefined) {
  if (row.growthPerS === undefined || !now.descriptors || !before?.descriptors) return undefined;
  const gained = now.descriptors.open - before.descriptors.open;
  const beyond = gained - Math.max(0, live(now) - live(before));
  if (beyond < MIN_GROWTH) return undefined;
  const kinds = Object.entries(row.growthByKind ?? {})
    .filter(([, change]) => change > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([kind, change]) => `${kind} +${change}`);
  const of = kinds.length > 0 ? `: ${kinds.join(', ')}` : '';
  const left = row.softLimit === undefined ? undefined : (row.softLimit - row.open) / row.growthPerS;
  const until =
    left === undefined || left > DAY_S
      ? ''
      : `; at this rate the limit of ${row.softLimit} is reached in ${inWords(left)}`;
  return suspicion(
    'growth',
    beyond,
    `${beyond} more descriptors within the window, beyond live connections${of}${until}`,
  );
}

const DAY_S = 86_400;

const inWords = (seconds: number) =>
  seconds < 120
    ? `${Math.round(seconds)} s`
    : seconds < 7200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3600)} h`;

const live = ({ tcp }: DescriptorSource) => LIVE.reduce((sum, state) => sum + (tcp[state] ?? 0), 0);

function closeWait(tcp: DescriptorSource['tcp']) {
  const count = tcp['close-wait'] ?? 0;
  if (count === 0) return undefined;
  return suspicion(
    'close-wait',
    count,
    `${connections(count)} in CLOSE_WAIT: the peer has closed, the process has not`,
  );
}

function unconnected(tcp: DescriptorSource['tcp']) {
  const count = tcp.unconnected ?? 0;
  if (count === 0) return undefined;
  const sockets = count === 1 ? '1 TCP socket is' : `${count} TCP sockets are`;
  return suspicion(
    'unconnected',
    count,
    `${sockets} not connected: never were, or the connection has ended and close() is missing`,
  );
}

function inheritable({ socketsInheritable: count }: DescriptorRow) {
  if (!count) return undefined;
  const sockets = count === 1 ? '1 socket' : `${count} sockets`;
  return suspicion(
    'inheritable',
    count,
    `${sockets} without close-on-exec in a process that has children: programs that it starts inherit ${count === 1 ? 'it' : 'them'}`,
  );
}

/** What only the single descriptors tell. */
export const detailSuspicions = (descriptors: readonly DescriptorDetail[]): DescriptorSuspicion[] =>
  [notWatched(descriptors), deletedFiles(descriptors)].filter((found) => found !== undefined);

/** Their space is free only when the last descriptor is closed: a log that was rotated, most often. */
function deletedFiles(descriptors: readonly DescriptorDetail[]) {
  const deleted = descriptors.filter(({ kind, target }) => kind === 'file' && target.endsWith(' (deleted)'));
  const [first] = deleted;
  if (!first) return undefined;
  const files = deleted.length === 1 ? '1 deleted file is' : `${deleted.length} deleted files are`;
  return suspicion(
    'deleted-files',
    deleted.length,
    `${files} still open and take${deleted.length === 1 ? 's' : ''} space: descriptor ${first.fd}, ${first.target}`,
  );
}

/**
 * Connections outside every epoll set, in a process that otherwise watches them: a fact, not a fault. Undefined where
 * not all sets could be read, or where the process waits for its sockets in another way.
 */
function notWatched(descriptors: readonly DescriptorDetail[]): DescriptorSuspicion | undefined {
  const sets = descriptors.filter(({ kind }) => kind === 'epoll');
  if (sets.length === 0 || sets.some(({ watches }) => watches === undefined)) return undefined;
  const all = descriptors.filter(
    ({ kind, state }) => kind === 'tcp' && (state === 'established' || state === 'close-wait'),
  );
  const outside = all.filter(({ watchedBy }) => watchedBy === undefined);
  if (outside.length === 0 || outside.length * 2 >= all.length) return undefined;
  const shown = outside.slice(0, 8).map(({ fd }) => fd);
  const more = outside.length > shown.length ? ', …' : '';
  return suspicion(
    'not-watched',
    outside.length,
    `${connections(outside.length)} of ${all.length} in no epoll set of this process (descriptor ${shown.join(', ')}${more})`,
  );
}

const connections = (count: number) => (count === 1 ? '1 connection' : `${count} connections`);
