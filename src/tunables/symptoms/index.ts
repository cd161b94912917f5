import type { NetContext } from '../../checks/check.js';
import { receiveDrops } from '../../checks/nic/drop-counters.js';
import { softnetRows, sumOf } from '../../checks/nic/softnet.js';
import { limits } from '../../checks/tcp/limits.js';
import { judgedConnections, judgedListeners } from '../../checks/tcp/sockets.js';
import { growth } from '../../checks/view.js';
import { interfaceOf } from '../../model/tune/keys.js';
import { CONNECTION_ATTEMPTS, CONNECTS, counted, DATAGRAMS, PACKETS, TCP_SEGMENTS, TCP_SENT } from './counters.js';
import { growthOfCounters } from './growth.js';
import type { Load, Symptom, SymptomContext } from './symptom.js';

/** A listener has the backlog that it was made with: it must have been made anew to have more than the former cap. */
const ofListeners = (context: SymptomContext): boolean | undefined =>
  judgedListeners(context)?.some(({ backlog }) => backlog > Number(context.former));

export const ACCEPT_QUEUE_OVERFLOWS: Symptom = {
  ...counted('overflows of accept queues', ['TcpExtListenOverflows'], CONNECTION_ATTEMPTS),
  inForce: ofListeners,
};
export const ABORTED_BY_OVERFLOW = counted('connections reset', ['TcpOutRsts'], CONNECTION_ATTEMPTS);
export const SYN_QUEUE_DROPS: Symptom = {
  ...counted('connection attempts dropped by full queues', ['TcpExtTCPReqQFullDrop'], CONNECTION_ATTEMPTS),
  inForce: ofListeners,
};
export const TIME_WAIT_OVERFLOWS = counted('overflows of TIME_WAIT', ['TcpExtTCPTimeWaitOverflow'], TCP_SENT);
export const MEMORY_PRESSURE = counted(
  'entries into memory pressure',
  ['TcpExtTCPMemoryPressures', 'TcpExtTCPAbortOnMemory'],
  TCP_SEGMENTS,
);
export const ORPHANS_ABORTED = counted('orphans aborted', ['TcpExtTCPAbortOnMemory'], TCP_SENT);
export const UDP_RECEIVE_DROPS = counted(
  'datagrams dropped for want of a receive buffer',
  ['UdpRcvbufErrors', 'Udp6RcvbufErrors'],
  DATAGRAMS,
);
export const RETRANSMITS = counted('segments retransmitted', ['TcpRetransSegs'], TCP_SENT);
export const FAILED_CONNECTS = counted('connects that failed', ['TcpAttemptFails'], CONNECTS);

const bytes: Load = {
  name: 'bytes of IP',
  read: ({ net }) => growthOfCounters(net, ['IpExtInOctets', 'IpExtOutOctets', 'Ip6InOctets', 'Ip6OutOctets']),
};

/** As the check window-limited sees them, by the key whose third value is their cap. */
function boundByBuffer(context: SymptomContext): number | undefined {
  const { net, key, former } = context;
  const bound = (context_: NetContext) =>
    limits(context_, 10)?.filter((limit) => limit.key === key && limit.by !== 'peer-window' && !limit.locked);
  const now = bound(context);
  if (!now) return undefined;
  // An open connection may stay at the former cap, though it might grow now: it is bound all the same.
  const cap = Number(former.split(' ')[2]);
  const sysctlNumbers = (name: string) => (name === key ? former.split(' ').map(Number) : net.sysctlNumbers(name));
  const stayed = (bound({ ...context, net: { ...net, sysctlNumbers } }) ?? []).filter(({ bytes }) => bytes <= cap);
  return new Set([...now, ...stayed].map(({ connection }) => connection.cookie)).size;
}

/** Whether any connection has used the new room: else fewer that are bound come from elsewhere. */
function roomIsUsed(context: SymptomContext): boolean | undefined {
  const cap = Number(context.former.split(' ')[2]);
  const buffer = context.key === 'net.ipv4.tcp_wmem' ? 'sendBuffer' : 'receiveBuffer';
  return judgedConnections(context)?.some(({ memory }) => (memory?.[buffer] ?? 0) > cap);
}

export const BOUND_BY_BUFFER: Symptom = {
  name: 'connections bound by this buffer',
  source: 'sock_diag, tcp_info',
  type: 'state',
  read: boundByBuffer,
  inForce: roomIsUsed,
  load: bytes,
};

const softnet = (name: string, field: 'dropped' | 'squeezed'): Symptom => ({
  name,
  source: '/proc/net/softnet_stat',
  type: 'count',
  read: ({ host }) => (host.first ? sumOf(softnetRows(host), (row) => row.delta(field)) : undefined),
  load: {
    name: 'packets processed',
    read: ({ host }) => (host.first ? sumOf(softnetRows(host), (row) => row.delta('processed')) : undefined),
  },
});
export const BACKLOG_DROPS = softnet('packets dropped by full input queues', 'dropped');
export const SQUEEZES = softnet('rounds of receiving cut short', 'squeezed');

/** One loss may show in several counters, so the largest is taken. */
export const RING_OVERRUNS: Symptom = {
  name: 'packets dropped for want of receive buffers',
  source: 'rtnetlink, ethtool -S',
  type: 'count',
  read({ net, key }) {
    const link = net.links.find(({ last }) => last.name === interfaceOf(key));
    if (!link?.first) return undefined;
    return Math.max(0, ...receiveDrops(link.first, link.last).map(({ delta }) => delta ?? 0));
  },
  load: {
    name: 'packets received',
    read({ net, key }) {
      const link = net.links.find(({ last }) => last.name === interfaceOf(key));
      return growth(link?.first?.standard.rx_packets, link?.last.standard.rx_packets);
    },
  },
};

export const CONNTRACK_LOSSES: Symptom = {
  name: 'packets that found no room in the table',
  source: '/proc/net/stat/nf_conntrack',
  type: 'count',
  read({ net }) {
    const [first, last] = [net.first?.conntrack, net.last.conntrack];
    if (!first || !last) return undefined;
    return (['drop', 'early_drop'] as const).reduce(
      (sum, key) => sum + (growth(first.statistics[key], last.statistics[key]) ?? 0),
      0,
    );
  },
  load: PACKETS,
};

export const SWAPPED_IN: Symptom = {
  name: 'pages swapped in',
  source: '/proc/vmstat pswpin',
  type: 'count',
  read: ({ host }) => growth(host.first?.vmstat.pswpin, host.last.vmstat.pswpin),
  load: { name: 'page faults', read: ({ host }) => growth(host.first?.vmstat.pgfault, host.last.vmstat.pgfault) },
};
