import type { NetContext } from '../../checks/check.js';
import type { Suggestion } from '../tunable.js';
import { seen } from './seen.js';

const KEY = 'net.ipv4.ip_local_port_range';
/** TCP_TIMEWAIT_LEN of include/net/tcp.h: not a setting. */
const TIME_WAIT_S = 60;
/** More of the range than that in use, and the kernel searches long for a free port. */
const SHARE = 0.5;
const WIDE = { low: 16_384, high: 65_535 };

/** For many connections: as many ports as the measured rate of connecting keeps in TIME_WAIT, if all went to one place. */
export function portsForConnects({ net, profile }: NetContext): Suggestion[] {
  if (profile !== 'connections') return [];
  const [low, high] = net.sysctlNumbers(KEY);
  const opened = net.delta('TcpActiveOpens');
  if (low === undefined || high === undefined || opened === undefined || !net.windowMs) return [];
  const perSecond = (opened * 1000) / net.windowMs;
  const held = perSecond * TIME_WAIT_S;
  if (held <= SHARE * (high - low + 1)) return [];
  const listening = (net.last.sockets?.listeners ?? []).filter(
    ({ port }) => port >= WIDE.low && port <= WIDE.high && (port < low || port > high),
  );
  if (listening.length > 0)
    return [
      {
        key: KEY,
        reason: `a wider range would take in port ${listening[0]?.port}, on which a program listens: reserve it in net.ipv4.ip_local_reserved_ports first`,
      },
    ];
  return [
    {
      key: KEY,
      to: `${Math.min(low, WIDE.low)} ${Math.max(high, WIDE.high)}`,
      reason: `${Math.round(perSecond)} connections a second are opened here; each holds its port for ${TIME_WAIT_S} s after its end, ${Math.round(held)} ports if all go to one place`,
      evidence: [seen('/proc/net/snmp', 'TcpActiveOpens', opened, '1', 'window'), net.sysctlEvidence(KEY)],
    },
  ];
}
