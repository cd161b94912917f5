import type { Process } from '../../model/snapshot/index.js';
import type { DescriptorRow } from '../../model/views/descriptors.js';
import { suspicionsOf } from './suspicions.js';

/** What a row is made of. A `Process` of the socket probe has all that must be there. */
export type DescriptorSource = Pick<
  Process,
  'pid' | 'comm' | 'uid' | 'startTicks' | 'netns' | 'descriptors' | 'tcp' | 'udp' | 'unix'
> & {
  epollSets?: number | readonly unknown[];
  kinds?: Readonly<Record<string, number>>;
  /** False: its sockets are not in `tcp`, `udp` and `unix`. */
  socketsRead?: boolean;
};

export interface DescriptorReading {
  monotonicMs: number;
  processes: readonly DescriptorSource[];
  /** Namespaces (inode numbers) whose sockets were read; left out: those of all processes. */
  namespaces?: ReadonlySet<string>;
}

/**
 * One row per process whose descriptors could be read, the fullest first. Growth needs the reading before; a process
 * that was not in it (by pid and start) has none.
 */
export function descriptorRows(now: DescriptorReading, before?: DescriptorReading): DescriptorRow[] {
  const earlier = new Map(before?.processes.map((source) => [keyOf(source), source]));
  const seconds = before && (now.monotonicMs - before.monotonicMs) / 1000;
  const rows = now.processes.flatMap((source) => {
    const row = rowOf(source, now.namespaces);
    return row ? [withChanges(row, source, earlier.get(keyOf(source)), seconds)] : [];
  });
  return rows.sort(fullestFirst);
}

function withChanges(
  facts: DescriptorRow,
  source: DescriptorSource,
  before: DescriptorSource | undefined,
  seconds: number | undefined,
): DescriptorRow {
  const row = { ...facts, ...growthOf(source, before, seconds) };
  const suspicions = suspicionsOf(row, source, before);
  return suspicions.length > 0 ? { ...row, suspicions } : row;
}

const keyOf = ({ pid, startTicks }: DescriptorSource) => `${pid}/${startTicks}`;

const fullestFirst = (a: DescriptorRow, b: DescriptorRow) =>
  (b.usedShare ?? 0) - (a.usedShare ?? 0) || b.open - a.open || a.pid - b.pid;

function rowOf(source: DescriptorSource, namespaces: ReadonlySet<string> | undefined): DescriptorRow | undefined {
  const { pid, comm, uid, netns, descriptors: use, epollSets, kinds } = source;
  if (!use) return undefined;
  const { open, sockets, highest, softLimit, hardLimit, socketsInheritable } = use;
  return {
    pid,
    comm,
    uid,
    ...(netns === undefined ? {} : { netns }),
    open,
    ...(softLimit === undefined ? {} : { softLimit, ...(softLimit > 0 ? { usedShare: open / softLimit } : {}) }),
    ...(hardLimit === undefined ? {} : { hardLimit }),
    highest,
    sockets,
    ...(socketsRead(source, namespaces) ? protocolsOf(source) : {}),
    ...(epollSets === undefined ? {} : { epollSets: typeof epollSets === 'number' ? epollSets : epollSets.length }),
    ...(kinds === undefined ? {} : { kinds }),
    ...(socketsInheritable === undefined ? {} : { socketsInheritable }),
  };
}

function socketsRead(
  { netns, socketsRead: read, descriptors }: DescriptorSource,
  namespaces: ReadonlySet<string> | undefined,
): boolean {
  if (read !== undefined) return read;
  if (descriptors?.sockets === 0 || namespaces === undefined || netns === undefined) return true;
  return namespaces.has(netns);
}

function protocolsOf({ tcp, udp, unix }: DescriptorSource) {
  const connections = Object.values(tcp).reduce((sum, count) => sum + count, 0);
  return { tcp: connections, udp, unix, closeWait: tcp['close-wait'] ?? 0 };
}

function growthOf(
  now: DescriptorSource,
  before: DescriptorSource | undefined,
  seconds: number | undefined,
): Pick<DescriptorRow, 'growthPerS' | 'growthByKind'> {
  if (!now.descriptors || !before?.descriptors || !seconds || seconds <= 0) return {};
  return {
    growthPerS: (now.descriptors.open - before.descriptors.open) / seconds,
    ...(now.kinds && before.kinds ? { growthByKind: changes(now.kinds, before.kinds) } : {}),
  };
}

function changes(now: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>) {
  const kinds = new Set([...Object.keys(now), ...Object.keys(before)]);
  return Object.fromEntries(
    [...kinds]
      .map((kind) => [kind, (now[kind] ?? 0) - (before[kind] ?? 0)] as const)
      .filter(([, change]) => change !== 0),
  );
}
