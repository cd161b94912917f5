import type { Gap } from '../model/gap.js';
import type { Process, Thread } from '../model/snapshot/index.js';
import type { ConnectionRow, ConnectionTotals } from '../model/views/connections.js';
import type { Filter } from '../model/views/filter.js';
import type { ConnectionSort } from '../model/views/request.js';
import { nativeConnectionTable } from './native.js';

/** Which rows are wanted; filter, order and limit apply natively, over all sockets. */
export interface ConnectionSelection {
  filter?: Filter;
  /** Only sockets that one of these processes holds; that process is the one that is shown. */
  pids?: readonly number[];
  /** Largest first; `matters` (the default) puts trouble first, as native/probes/connections/order.h has it. */
  sort?: ConnectionSort | 'matters';
  reverse?: boolean;
  /** Left out: all rows. */
  limit?: number;
  /** Cookies of rows that are wanted beside those, whatever the filter and the limit. */
  keep?: readonly string[];
  /** Each row on a line of its own. */
  rowPerLine?: boolean;
}

export interface ConnectionsRequest {
  /** Network namespaces: "" or "/run/netns/NAME" or "/proc/PID/ns/net", and what their rows have as `netns`. */
  netns: readonly { path: string; label?: string }[];
  selfPids: readonly number[];
  selection: ConnectionSelection;
  /** Also the processes that hold sockets, with their traffic. */
  processes?: boolean;
  /** With `processes`: also the threads of those that hold TCP or UDP sockets, at most so many. Default none. */
  threads?: number;
  /** Also the pairs of processes that talk to each other, at most so many, those with the most traffic first. Default none. */
  pairs?: number;
  /** Left out: as when no monitor runs. */
  transports?: Transports;
  /** What containers are called, by id. */
  containerNames?: Readonly<Record<string, string>>;
}

/** What the monitor says of connections. */
export interface Transports {
  /** Why nothing is known; "" when it answered. */
  noMonitor: string;
  /** Processes under libsd. */
  clients: readonly number[];
  /** Sockets, and beside each why it stays on the kernel; "" when its bytes go by shared memory. */
  cookies: readonly string[];
  /** Whose the socket must be for that to count; -1: anybody's. */
  uids: readonly number[];
  reasons: readonly string[];
  /** What went by shared memory so far: the kernel's counters have none of it. */
  sentBytes: readonly number[];
  receivedBytes: readonly number[];
}

/** Sums over the TCP sockets of a process; empty without a window. */
export interface Traffic {
  sendBps?: number;
  receiveBps?: number;
  retransmitsPerS?: number;
  /** Both ways. */
  dataSegmentsPerS?: number;
}

/** What moved one way, per second of the window. */
export interface PairFlow {
  bytesPerS: number;
  /** With data: about one per message, but for those that are larger than a segment. */
  segmentsPerS: number;
}

/** Two processes of this host that talk over TCP, or one with itself. */
export interface ProcessPair {
  /** Pids. */
  client: number;
  server: number;
  /** Of the server's ends, eight at most. */
  ports: number[];
  /** Those whose both ends have a visible process. */
  connections: number;
  /** Of them: by shared memory already. */
  byMemory: number;
  /** Of them: more than one process holds an end. */
  severalHolders: number;
  /** The largest segment size; absent where none is known. */
  mssBytes?: number;
  /** The kernel's, the mean of all that have one. */
  rttUs?: number;
  /** Absent without a window. */
  toServer?: PairFlow;
  toClient?: PairFlow;
}

/** A process that holds sockets. */
export interface SocketHolder {
  process: Process;
  container?: string;
  traffic: Traffic;
  /** It is known to a monitor, and so many of its connections go by shared memory. */
  underLibsd?: true;
  byMemory?: number;
}

/** Everything but the rows. */
export interface ConnectionsHead {
  /** CLOCK_MONOTONIC when the reading began. */
  monotonicMs: number;
  /** Since the reading before; 0 at the first. */
  windowMs: number;
  /** Absent where no namespace could be read. */
  totals?: ConnectionTotals;
  /** Every process that holds a socket. A socket that several hold counts for each of them. */
  processes?: SocketHolder[];
  pairs?: { all: number; rows: ProcessPair[] };
  threads?: Thread[];
  gaps: Gap[];
}

export interface ConnectionsAnswer extends ConnectionsHead {
  connections: ConnectionRow[];
}

/**
 * Every TCP socket of some network namespaces with its process, its other end, and what moved since the reading before.
 * Holders of sockets are remembered between readings: native/probes/connections/owner_cache.h says how exact that is.
 * Readings of one table run one after the other.
 */
export class ConnectionTable {
  readonly #native = nativeConnectionTable();

  async read(request: ConnectionsRequest): Promise<ConnectionsAnswer> {
    return parsed(await this.#native.read(request));
  }

  /** Other rows of the last reading, at once: nothing is read. Without `processes` and `threads`, which stay the same. */
  async select(selection: ConnectionSelection): Promise<ConnectionsAnswer> {
    return parsed(await this.#native.select(selection));
  }

  /** As read(), with the rows as the bytes of a JSON array, to be passed on unread. */
  async readBytes(request: ConnectionsRequest): Promise<{ head: ConnectionsHead; rows: Buffer }> {
    const { head, rows } = await this.#native.read(request);
    return { head: JSON.parse(head) as ConnectionsHead, rows };
  }
}

function parsed({ head, rows }: { head: string; rows: Buffer }): ConnectionsAnswer {
  return { ...(JSON.parse(head) as ConnectionsHead), connections: JSON.parse(rows.toString()) as ConnectionRow[] };
}
