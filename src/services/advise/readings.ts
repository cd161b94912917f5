import { setTimeout as sleep } from 'node:timers/promises';
import type { PairEnd } from '../../model/advise.js';
import type { Process } from '../../model/snapshot/index.js';
import type { ProcessRow } from '../../model/views/processes.js';
import { type ConnectionsHead, ConnectionTable, type ProcessPair } from '../../probes/connections.js';
import { readContainerNames } from '../../probes/containers.js';
import { present } from '../../probes/link-sysfs.js';
import { currentNetns } from '../../probes/namespaces.js';
import { SAMPLES } from '../../probes/native.js';
import { cpuUse, TICK_MS } from '../bench/neighbours.js';
import type { GapList } from '../diagnose/collecting/gaps.js';
import { type SocketShare, SocketShareReader } from '../views/socket-share.js';
import { placeOf } from '../watch/places.js';
import { processRows } from '../watch/processes.js';
import { Scope, type Scoped } from '../watch/scope.js';
import { readTransports } from '../watch/transports.js';

/** More than that nobody reads, and a document should not be endless. */
const MOST_PAIRS = 1000;

/** Threads whose times are read for the sums of their processes. */
const MOST_THREADS = 4096;

/** So many bytes cost about as much as one segment more: as native/probes/connections/process_pairs.cc counts. */
const BYTES_PER_SEGMENT = 16_384;

/** `waiting`: runnable without a CPU, all threads together, by wall time. */
export type End = PairEnd & { switchesPerS?: number; waiting?: number; underLibsd?: true };

/** A pair of processes with what both did in the window. */
export interface PairReading {
  pair: ProcessPair;
  client: End;
  server: End;
  /** CPUs that neither of them kept busy, nor sockdoc. */
  othersCores: number;
}

export interface Readings {
  windowMs: number;
  pairs: PairReading[];
  /** Before the limit of what is read at all. */
  all: number;
}

interface Moment {
  head: ConnectionsHead;
  busyMs: number;
  shares: Awaited<ReturnType<SocketShareReader['read']>>['shares'];
}

/** Looks twice at all connections of this host that can be seen, a window apart: pairs with one of these pids, or all. */
export async function readPairs(
  { pids, windowMs }: { pids: readonly number[]; windowMs: number },
  gaps: GapList,
  signal: AbortSignal,
): Promise<Readings> {
  const scope = await Scope.of({ pids: [], netns: 'all' });
  const table = new ConnectionTable();
  const shares = new SocketShareReader(SAMPLES.often);
  try {
    const scoped = await scope.now(gaps);
    const before = await take(table, shares, scoped, gaps);
    await sleep(windowMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    const now = await take(table, shares, scoped, gaps, before.head);
    gaps.add(...now.head.gaps);
    return joined(before, now, scoped, pids);
  } finally {
    await shares.close();
  }
}

async function take(
  table: ConnectionTable,
  reader: SocketShareReader,
  { namespaces }: Scoped,
  gaps: GapList,
  before?: ConnectionsHead,
): Promise<Moment> {
  const busyMs = hostBusyMs();
  const { head } = await table.readBytes({
    netns: namespaces.map((namespace) => ({ path: namespace.path, ...present('label', placeOf(namespace)) })),
    selfPids: [process.pid],
    selection: { limit: 0 },
    processes: true,
    threads: MOST_THREADS,
    pairs: before ? MOST_PAIRS : 0,
    transports: await readTransports(),
    containerNames: await containerNames(),
  });
  const pids = before ? (head.processes ?? []).map(({ process: { pid } }) => pid) : [];
  const sampled = await gaps.attempt('socket share', () => reader.read(pids));
  gaps.add(...(sampled?.gaps ?? []));
  return { head, busyMs, shares: sampled?.shares ?? new Map() };
}

/** CPU time of all but ourselves. */
function hostBusyMs(): number {
  const { user, system } = process.cpuUsage();
  return cpuUse([], []).busy * TICK_MS - (user + system) / 1000;
}

async function containerNames(): Promise<Record<string, string>> {
  const names = await readContainerNames();
  return Object.fromEntries([...names].flatMap(([name, ids]) => ids.map((id) => [id, name])));
}

function joined(before: Moment, now: Moment, { namespaces }: Scoped, pids: readonly number[]): Readings {
  const windowMs = now.head.monotonicMs - before.head.monotonicMs;
  const places = new Map(namespaces.map((namespace) => [namespace.id, placeOf(namespace)]));
  const own = currentNetns().id;
  const holders = now.head.processes ?? [];
  const earlier: Process[] = (before.head.processes ?? []).map(({ process }) => process);
  const rows = processRows({ now: holders, before: earlier, windowMs }, (id) =>
    id === own ? undefined : (places.get(id) ?? id),
  );
  const ends = new Map(rows.map((row) => [row.pid, endOf(row, now.shares.get(row.pid))]));
  const busyCores = (now.busyMs - before.busyMs) / windowMs;
  const wanted = new Set(pids);
  const { all = 0, rows: pairs = [] } = now.head.pairs ?? {};
  return {
    windowMs,
    all,
    pairs: pairs.flatMap((pair) => {
      const [client, server] = [ends.get(pair.client), ends.get(pair.server)];
      if (!client || !server || pair.client === process.pid || pair.server === process.pid) return [];
      if (wanted.size > 0 && !wanted.has(pair.client) && !wanted.has(pair.server)) return [];
      const part = partsOf(pair, rows);
      const own = [...new Set([client, server])].reduce((sum, { cpuCores = 0 }) => sum + cpuCores, 0);
      return [
        {
          pair,
          client: { ...client, ...part(pair.client) },
          server: { ...server, ...part(pair.server) },
          othersCores: Math.max(0, busyCores - own),
        },
      ];
    }),
  };
}

function endOf(row: ProcessRow, sampled: SocketShare | undefined): End {
  const { pid, comm, uid, cpuShare, kernelShare, voluntarySwitchesPerS, runDelayMsPerS, underLibsd } = row;
  return {
    pid,
    comm,
    uid,
    ...present('netns', row.netns),
    ...present('container', row.container),
    ...present('cpuCores', cpuShare),
    ...present('kernelShare', kernelShare),
    ...(sampled ?? {}),
    ...present('switchesPerS', voluntarySwitchesPerS),
    ...present('waiting', runDelayMsPerS === undefined ? undefined : runDelayMsPerS / 1000),
    ...(underLibsd ? { underLibsd } : {}),
  };
}

/** What part of a process's TCP traffic goes by a pair: by segments, and by bytes where they are many. */
function partsOf({ client, server, toServer, toClient }: ProcessPair, rows: readonly ProcessRow[]) {
  const weightOf = (segments: number, bytes: number) => segments + bytes / BYTES_PER_SEGMENT;
  const once = [toServer, toClient].reduce(
    (sum, flow) => sum + (flow ? weightOf(flow.segmentsPerS, flow.bytesPerS) : 0),
    0,
  );
  const mine = client === server ? 2 * once : once;
  return (pid: number): Pick<PairEnd, 'partOfTraffic'> => {
    const { dataSegmentsPerS, sendBps = 0, receiveBps = 0 } = rows.find((row) => row.pid === pid) ?? {};
    if (dataSegmentsPerS === undefined) return {};
    const all = weightOf(dataSegmentsPerS, (sendBps + receiveBps) / 8);
    // A process that talks to itself is both ends: each has half of it.
    return { partOfTraffic: all > 0 ? Math.min(1, mine / all) / (client === server ? 2 : 1) : 0 };
  };
}
