import type { Listener } from '../model/snapshot/index.js';
import type { EndedConnections, ShortLived } from '../model/views/short-lived.js';
import type { EndedGroup, EventsAnswer } from './native.js';

export { ConnectionEvents } from './native.js';

/** Who listens in a namespace: `sockets` of one entry of SocketsAnswer.netns has it. */
export interface PortOwners {
  /** The namespace's id, its inode number. */
  id: string;
  listeners: readonly Pick<Listener, 'port' | 'owners'>[];
}

const MAX_ROWS = 100;

/**
 * What ended since the reading of the events before, all namespaces together. The process on the accepting side is the
 * first owner of the listener's port, else who began to listen there. Undefined where nothing could be subscribed to: unknown, not none.
 */
export function shortLivedOf(answer: EventsAnswer, owners: readonly PortOwners[]): ShortLived | undefined {
  if (answer.netns.length === 0) return undefined;
  const ended = sum(answer.netns.map((netns) => netns.ended));
  const rows = answer.netns.flatMap((netns) => {
    const listeners = owners.find(({ id }) => id === netns.id)?.listeners ?? [];
    return netns.groups.map((group) => rowOf(group, listeners));
  });
  const attributed = sum(rows.filter((row) => row.comm !== undefined).map((row) => row.count));
  return {
    source: answer.source,
    windowMs: answer.windowMs,
    ended,
    endedPerS: answer.windowMs > 0 ? (ended * 1000) / answer.windowMs : 0,
    ...allOf('unseen', answer.netns),
    ...allOf('failed', answer.netns),
    by: shorten(merge(rows, (row) => row.pid)),
    unattributed: ended - attributed,
    lost: answer.netns.some((netns) => netns.lost),
  };
}

function rowOf(group: EndedGroup, listeners: PortOwners['listeners']): EndedConnections {
  const { side, port, count, bytesSent, bytesReceived } = group;
  const row = { side, port, count, bytesSent, bytesReceived };
  const who = (side === 'accepting' && ownerOf(port, listeners)) || group;
  if (who.comm === undefined) return row;
  return { ...row, ...(who.pid !== undefined && { pid: who.pid }), comm: who.comm };
}

function ownerOf(port: number, listeners: PortOwners['listeners']) {
  return listeners.find((listener) => listener.port === port && listener.owners.length > 0)?.owners[0];
}

/** A sum that some namespace cannot give is unknown for all of them together. */
function allOf<K extends 'unseen' | 'failed'>(key: K, netns: EventsAnswer['netns']): { [P in K]?: number } {
  const numbers = netns.map((one) => one[key]);
  if (numbers.some((number) => number === undefined)) return {};
  return { [key]: sum(numbers as number[]) } as { [P in K]?: number };
}

/** Most first; beyond 100 rows, processes of one name share a row. */
function shorten(rows: EndedConnections[]): EndedConnections[] {
  const few = rows.length <= MAX_ROWS ? rows : merge(rows, () => undefined);
  return few.sort((a, b) => b.count - a.count).slice(0, MAX_ROWS);
}

/** Rows of one side, port, name and `pid` become one. */
function merge(rows: readonly EndedConnections[], pid: (row: EndedConnections) => number | undefined) {
  const merged = new Map<string, EndedConnections>();
  for (const row of rows) {
    const key = `${row.side} ${row.port} ${pid(row) ?? ''} ${row.comm ?? ''}`;
    const before = merged.get(key);
    merged.set(key, before === undefined ? row : added(before, row));
  }
  return [...merged.values()];
}

function added(one: EndedConnections, other: EndedConnections): EndedConnections {
  const { pid, processes, ...row } = one;
  const together = pid === other.pid ? pid : undefined;
  return {
    ...row,
    ...(together === undefined
      ? one.comm !== undefined && { processes: (processes ?? 1) + (other.processes ?? 1) }
      : { pid: together }),
    count: one.count + other.count,
    bytesSent: (one.bytesSent ?? 0) + (other.bytesSent ?? 0),
    bytesReceived: (one.bytesReceived ?? 0) + (other.bytesReceived ?? 0),
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
