import type { SocketDigest } from '../../model/snapshot/index.js';
import type { ConnectionTotals } from '../../model/views/connections.js';

/** Sockets of several namespaces, counted. */
export function totalsOf(digests: readonly SocketDigest[]): ConnectionTotals {
  const states: Record<string, number> = {};
  for (const { tcp } of digests)
    for (const [state, count] of Object.entries(tcp)) states[state] = (states[state] ?? 0) + count;
  const sockets = digests.reduce((sum, { tcpTotal }) => sum + tcpTotal, 0);
  return { sockets, states, matching: sockets };
}
