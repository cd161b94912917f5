import type { NetContext } from '../../checks/check.js';
import { judgedConnections } from '../../checks/tcp/sockets.js';
import type { Suggestion } from '../tunable.js';
import { seen } from './seen.js';

const KEY = 'net.ipv4.tcp_slow_start_after_idle';
/** The window that a connection begins with (RFC 6928): only a larger one can be lost to a pause. */
const INITIAL_WINDOW = 10;

/** For latency: connections that have grown their window and pause between requests begin anew after each pause. */
export function keepWindowOverPauses(context: NetContext): Suggestion[] {
  const { net, profile } = context;
  if (profile !== 'latency' || net.sysctlNumber(KEY) !== 1) return [];
  const grown = (judgedConnections(context) ?? []).filter(
    ({ cwndSegments = 0, rtoUs, lastDataSentMs, congestionControl = '' }) =>
      cwndSegments > INITIAL_WINDOW &&
      !congestionControl.startsWith('bbr') &&
      rtoUs !== undefined &&
      (lastDataSentMs ?? 0) * 1000 > rtoUs,
  );
  if (grown.length === 0) return [];
  return [
    {
      key: KEY,
      to: '0',
      reason: `${grown.length} connections have grown their congestion window and now pause for longer than their retransmission timeout: the next request begins with ${INITIAL_WINDOW} segments again`,
      evidence: [seen('tcp_info', 'connections that pause', grown.length, 'connections'), net.sysctlEvidence(KEY)],
    },
  ];
}
