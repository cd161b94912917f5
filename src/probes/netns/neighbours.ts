import type { NeighbourTable } from '../../model/snapshot/index.js';
import type { FileProbe, Found } from '../files.js';
import { parseStatistics } from './statistics.js';

const TABLES = [
  { family: 'inet', file: '/proc/thread-self/net/stat/arp_cache', sysctls: '/proc/sys/net/ipv4/neigh/default' },
  { family: 'inet6', file: '/proc/thread-self/net/stat/ndisc_cache', sysctls: '/proc/sys/net/ipv6/neigh/default' },
] as const;

/**
 * The neighbour tables. Their entries and thresholds are the whole host's, and the kernel shows them in the initial
 * namespace only: elsewhere there is none.
 */
export const neighbours: FileProbe<NeighbourTable[]> = {
  name: 'neighbours',
  wants: { files: TABLES.flatMap((table) => [table.file, `${table.sysctls}/gc_thresh3`]) },
  parse: (found) => TABLES.flatMap((table) => one(found, table)),
};

function one(found: Found, table: (typeof TABLES)[number]): NeighbourTable[] {
  const text = found.text(table.file);
  if (text === undefined) {
    if (found.error(table.file) !== 'ENOENT') found.missing(table.file);
    return [];
  }
  const { sums, entries } = parseStatistics(text);
  if (entries === undefined) return [];
  const threshold3 = found.integer(`${table.sysctls}/gc_thresh3`);
  return [{ family: table.family, entries, statistics: sums, ...(threshold3 !== undefined ? { threshold3 } : {}) }];
}
