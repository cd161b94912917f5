import type { NetContext } from '../../checks/check.js';
import { powerOfTwo } from '../../checks/host/numbers.js';
import type { Suggestion } from '../tunable.js';
import { seen } from './seen.js';

const KEY = 'net.core.somaxconn';
/** A server that collects garbage, forks or reads its configuration anew does not accept for about so long. */
const PAUSE_S = 1;
/** Arrivals are not even. */
const BURST = 2;

/** For many connections: room for those that come while the server pauses for a second, at the rate measured here. */
export function backlogForArrivals({ net, profile }: NetContext): Suggestion[] {
  if (profile !== 'connections') return [];
  const now = net.sysctlNumber(KEY);
  const accepted = net.delta('TcpPassiveOpens');
  if (now === undefined || accepted === undefined || !net.windowMs)
    return [{ key: KEY, reason: 'the rate of new connections could not be measured (it needs a window)' }];
  const perSecond = (accepted * 1000) / net.windowMs;
  const wanted = powerOfTwo(perSecond * PAUSE_S * BURST);
  if (wanted <= now) return [];
  return [
    {
      key: KEY,
      to: String(wanted),
      reason: `${Math.round(perSecond)} connections a second come in here: a server that pauses for ${PAUSE_S} s needs a queue of that length, and twice that for bursts`,
      evidence: [seen('/proc/net/snmp', 'TcpPassiveOpens', accepted, '1', 'window'), net.sysctlEvidence(KEY)],
    },
  ];
}
