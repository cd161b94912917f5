import type { NetContext } from '../../checks/check.js';
import { powerOfTwo } from '../../checks/host/numbers.js';
import { uplinks } from '../../checks/net/uplinks.js';
import { connectionName, judgedConnections } from '../../checks/tcp/sockets.js';
import type { Connection, NetnsFacts } from '../../model/snapshot/index.js';
import type { Suggestion } from '../tunable.js';
import { seen } from './seen.js';

type Key = 'net.ipv4.tcp_rmem' | 'net.ipv4.tcp_wmem';

/** About half of a receive buffer is window; a send buffer also holds what is not acknowledged yet. */
const BUFFERS_PER_PRODUCT = 2;
/** 256 MiB: what ESnet sets for hosts of 40 Gbit/s and more. */
const LARGEST = 2 ** 28;
/** One connection may not take more than this share of the memory. */
const MEMORY_SHARE = 1 / 64;

/**
 * For throughput: the largest buffer holds twice the bandwidth-delay product, of the fastest uplink and the longest
 * round trip among the connections that moved most. Without both numbers nothing is proposed.
 */
export function bufferForPath({ net, host, snapshot, profile, ...rest }: NetContext, key: Key): Suggestion[] {
  if (profile !== 'throughput') return [];
  const [least, initial, now] = net.sysctlNumbers(key);
  if (least === undefined || initial === undefined || now === undefined) return [];
  const path = longestPath(judgedConnections({ net, host, snapshot, profile, ...rest }) ?? [], net.facts);
  if (!path)
    return [
      { key, reason: 'no connection to another host moved data, so the round trip to compute it from is not known' },
    ];
  const link = uplinks(net.facts).toSorted((a, b) => (b.speedMbps ?? 0) - (a.speedMbps ?? 0))[0];
  if (!link?.speedMbps)
    return [
      {
        key,
        reason: 'no uplink tells its speed (virtual ones do not), so the bandwidth to compute it from is not known',
      },
    ];
  const product = (link.speedMbps * path.minRttUs) / 8;
  const room = Math.min(LARGEST, 2 ** Math.floor(Math.log2(host.facts.memoryBytes * MEMORY_SHARE)));
  const wanted = Math.min(room, powerOfTwo(BUFFERS_PER_PRODUCT * product));
  if (wanted <= now) return [];
  return [
    {
      key,
      to: `${least} ${initial} ${wanted}`,
      reason: `${link.name} carries ${link.speedMbps} Mbit/s and ${connectionName(path.connection)} has a round trip of ${(path.minRttUs / 1000).toFixed(1)} ms: ${Math.round(product)} bytes are under way when it is full, and a buffer must hold twice that`,
      evidence: [
        { ...seen('ethtool', 'speed', link.speedMbps, 'Mbit/s'), subject: { interface: link.name } },
        seen('tcp_info', 'minimum RTT', path.minRttUs, 'us'),
        seen('/proc/meminfo', 'MemTotal', host.facts.memoryBytes, 'bytes'),
        net.sysctlEvidence(key),
      ],
    },
  ];
}

function longestPath(connections: readonly Connection[], { addresses }: NetnsFacts) {
  const own = new Set(addresses.map(({ address }) => address));
  const away = connections.flatMap((connection) => {
    const { minRttUs, remote, picked } = connection;
    return minRttUs && picked.includes('traffic') && !isHere(remote, own) ? [{ connection, minRttUs }] : [];
  });
  return away.toSorted((a, b) => b.minRttUs - a.minRttUs)[0];
}

function isHere(remote: string, own: ReadonlySet<string>): boolean {
  const address = remote
    .slice(0, remote.lastIndexOf(':'))
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/^::ffff:/, '');
  return own.has(address) || address.startsWith('127.') || address === '::1';
}
