import type { MigrateDocument } from '../../model/migrate.js';
import type { ConnectionRow } from '../../model/views/connections.js';
import { ConnectionTable } from '../../probes/connections.js';
import { GapList } from '../diagnose/collecting/gaps.js';
import { placeOf } from '../watch/places.js';
import { Scope, someOf } from '../watch/scope.js';
import { readTransports } from '../watch/transports.js';

/** The monitor's words for what a policy has decided (native/abi/reasons.h): no waiting changes it. */
const DECIDED: readonly string[] = [
  'the two ends belong to different users and no rule allows that',
  'the policy denies it',
];

export interface Carried {
  connections: MigrateDocument['connections'];
  /** Connections on the kernel that could still move: both ends are under libsd, and no policy is against it. */
  pending: number;
  /** Of these processes and of their peers on this host. */
  rows: readonly ConnectionRow[];
}

/**
 * What carries the established connections of some processes now, and why. Those that were just attached to count as under
 * libsd also before they have told the monitor, which they do when they next use a socket.
 */
export async function carriedNow(
  pids: readonly number[],
  gaps = new GapList(),
  attached: readonly number[] = [],
): Promise<Carried> {
  const scope = await Scope.of({ pids: [], netns: 'all' });
  const { namespaces } = await scope.now(gaps);
  const transports = await readTransports();
  const { connections } = await new ConnectionTable().read({
    netns: namespaces.map((namespace) => {
      const label = placeOf(namespace);
      return { path: namespace.path, ...(label === undefined ? {} : { label }) };
    }),
    selfPids: [process.pid],
    transports,
    selection: { pids: someOf(pids), filter: [{ field: 'state', operator: '=', values: ['established'] }] },
  });
  const clients = new Set([...transports.clients, ...attached]);
  const once = new Map(connections.map((row) => [nameOf(row), row]));
  const kept = [...once.values()].filter(({ transport }) => transport === 'kernel');
  const reasons: Record<string, number> = {};
  for (const { reason = 'not known' } of kept) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return {
    connections: { moved: once.size - kept.length, kept: kept.length, reasons },
    pending: kept.filter(
      ({ pid = -1, peer, reason = '' }) =>
        clients.has(pid) && clients.has(peer?.pid ?? -1) && !DECIDED.includes(reason),
    ).length,
    rows: [...once.values()],
  };
}

/** The same for both ends. Loopback is another one in each network namespace. */
function nameOf({ local, remote, netns = '' }: ConnectionRow): string {
  const place = /^(127\.|\[::1\]|\[::ffff:127\.)/.test(local) ? netns : '';
  return [place, ...[local, remote].toSorted()].join(' ');
}
