import { withDescendants } from '../../probes/process-tree.js';
import { carriedNow } from './carried.js';
import type { MigrateOptions } from './run.js';

/** The named processes, the family of each and who they talk to on this host, as far as that is wanted. */
export async function targetsOf({ pids, withPeers, withChildren }: MigrateOptions): Promise<number[]> {
  const named = withChildren ? withDescendants(pids) : [...pids];
  if (!withPeers) return [...new Set(named)];
  const { rows } = await carriedNow(named);
  const peers = rows
    .flatMap(({ pid, peer }) => [pid, peer?.pid])
    .filter((pid) => pid !== undefined && pid !== process.pid);
  const all = [...new Set([...named, ...(peers as number[])])];
  return withChildren ? withDescendants(all) : all;
}
