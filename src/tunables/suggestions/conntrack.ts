import type { NetContext } from '../../checks/check.js';
import type { Suggestion } from '../tunable.js';
import { seen } from './seen.js';

const KEY = 'net.netfilter.nf_conntrack_max';
const FULL = 0.5;

/** For many connections: a tracking table that is half full holds no second burst of the same size. */
export function doubleTable({ net, profile }: NetContext): Suggestion[] {
  const table = net.last.conntrack;
  if (profile !== 'connections' || !table || table.count < FULL * table.max) return [];
  return [
    {
      key: KEY,
      to: String(2 * table.max),
      reason: `${table.count} of ${table.max} entries are in use: there is no room for as many again`,
      evidence: [
        seen('/proc/sys/net/netfilter/nf_conntrack_count', 'count', table.count, 'entries'),
        seen('/proc/sys/net/netfilter/nf_conntrack_max', 'max', table.max, 'entries'),
      ],
    },
  ];
}
