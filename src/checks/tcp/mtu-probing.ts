import type { Connection, Link } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import { connectionName, connectionSubject, judgedConnections } from './sockets.js';

const KEY = 'net.ipv4.tcp_mtu_probing';
const JUMBO = 8000;
/** Every IPv6 path carries this, and in practice every IPv4 path: nothing smaller is a black hole. */
const SAFE_MTU = 1280;
/** Timeouts in a row after which a segment that never arrives is no accident. */
const TIMEOUTS = 2;
/** Kinds of interface that stand for a wire; those inside a host (veth, bridge, tun) say nothing about a path. */
const WIRES: readonly (string | undefined)[] = [undefined, 'bond', 'team', 'vlan'];

export const mtuProbing = defineCheck({
  id: 'mtu-probing',
  title: 'Paths that swallow large packets',
  category: 'tcp',
  scope: 'netns',
  priority: 58,
  page: {
    mechanism:
      'When a packet is too large for a link on the way, its router sends an ICMP message and TCP makes its segments smaller. Where a firewall drops that message, the connection opens, small segments pass, and the first full one is lost over and over: a black hole. With net.ipv4.tcp_mtu_probing=1 TCP tries smaller segments by itself after a few timeouts (RFC 4821).',
    reads:
      'Picked connections by sock_diag (tcp_info: consecutive timeouts, MSS, bytes sent and acknowledged); MTU of the interfaces; net.ipv4.tcp_mtu_probing.',
    threshold:
      'With tcp_mtu_probing=0. warn: a connection sends full segments, had two timeouts in a row, and not one full segment was ever acknowledged. info: an interface to the outside has an MTU above 8000.',
    why: 'Connections along such a path hang at their first large answer until they time out.',
    remedy:
      'Set net.ipv4.tcp_mtu_probing to 1, and let ICMP "fragmentation needed" and "packet too big" through the firewalls. Find the place with tracepath ADDRESS.',
    risk: 'A connection that suffers ordinary loss for long may end up with smaller segments than it could have.',
    undo: 'sysctl -w net.ipv4.tcp_mtu_probing=0',
    needs: 'new connections',
    tune: { keys: ['net.ipv4.tcp_mtu_probing'] },
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (tcp_mtu_probing)',
      'RFC 4821',
      'RFC 2923, section 2.1 (black hole detection)',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const value = net.sysctlNumber(KEY);
    if (value === undefined) return [unknown(`${KEY} could not be read`)];
    if (value !== 0) return [pass('TCP finds a smaller segment size by itself', [net.sysctlEvidence(KEY)])];
    const swallowed = (judgedConnections(context) ?? []).filter(isSwallowed);
    const remedy = { summary: 'Let TCP probe when it meets a black hole', ...setSysctls(net, { [KEY]: 1 }) };
    if (swallowed.length > 0)
      return swallowed.map((connection) =>
        warn(
          `${connectionName(connection)} has ${connection.backoff} timeouts in a row and no full segment (${connection.mssBytes} bytes) ever acknowledged: large packets seem to vanish on that path`,
          evidenceOf(context, connection),
          { subject: connectionSubject(connection), remedy },
        ),
      );
    const jumbo = net.facts.links.filter(isJumbo);
    if (jumbo.length === 0) return [pass('no black hole seen, and no jumbo frames', [net.sysctlEvidence(KEY)])];
    return jumbo.map((link) =>
      info(
        `${link.name} has an MTU of ${link.mtu}: where a path does not carry that and ICMP is lost, connections hang`,
        [{ source: 'rtnetlink', key: 'mtu', value: link.mtu, unit: 'bytes', scope: 'now' }, net.sysctlEvidence(KEY)],
        { subject: { interface: link.name, key: KEY }, remedy },
      ),
    );
  },
});

function isSwallowed({
  state,
  backoff,
  mssBytes,
  pmtuBytes,
  bytesAcked,
  bytesSent,
  bytesRetransmitted,
}: Connection): boolean {
  if (state !== 'established' && state !== 'close-wait' && state !== 'fin-wait-1') return false;
  if (backoff === undefined || mssBytes === undefined || bytesAcked === undefined || bytesSent === undefined)
    return false;
  const fresh = bytesSent - (bytesRetransmitted ?? 0);
  return backoff >= TIMEOUTS && (pmtuBytes ?? 0) > SAFE_MTU && fresh >= mssBytes && bytesAcked < mssBytes;
}

const isJumbo = ({ up, type, kind, mtu }: Link): boolean =>
  up && type === 'ether' && mtu > JUMBO && WIRES.includes(kind);

const evidenceOf = ({ net }: NetContext, { backoff, mssBytes, bytesSent, bytesAcked }: Connection) => [
  { source: 'tcp_info', key: 'timeouts in a row', value: backoff ?? 0, unit: '1', scope: 'now' as const },
  { source: 'tcp_info', key: 'MSS', value: mssBytes ?? 0, unit: 'bytes', scope: 'now' as const },
  { source: 'tcp_info', key: 'bytes sent', value: bytesSent ?? 0, unit: 'bytes', scope: 'total' as const },
  { source: 'tcp_info', key: 'bytes acknowledged', value: bytesAcked ?? 0, unit: 'bytes', scope: 'total' as const },
  net.sysctlEvidence(KEY),
];
