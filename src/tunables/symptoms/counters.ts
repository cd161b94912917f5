import { growthOfCounters } from './growth.js';
import type { Load, Symptom } from './symptom.js';

/** Events that counters of the namespace count, as nstat(8) names them, and what they are a part of. */
export function counted(name: string, counters: readonly string[], load: Load): Symptom {
  return {
    name,
    source: counters.join(', '),
    type: 'count',
    read: ({ net }) => growthOfCounters(net, counters),
    load,
  };
}

const load = (name: string, ...counters: string[]): Load => ({
  name,
  read: ({ net }) => growthOfCounters(net, counters),
});

export const CONNECTION_ATTEMPTS = load('connection attempts', 'TcpPassiveOpens', 'TcpExtListenDrops');
export const CONNECTS = load('connections opened', 'TcpActiveOpens');
export const TCP_SEGMENTS = load('TCP segments received', 'TcpInSegs');
export const TCP_SENT = load('TCP segments sent', 'TcpOutSegs');
export const DATAGRAMS = load('UDP datagrams', 'UdpInDatagrams', 'Udp6InDatagrams', 'UdpInErrors', 'Udp6InErrors');
export const PACKETS = load('IP packets received', 'IpInReceives', 'Ip6InReceives');
