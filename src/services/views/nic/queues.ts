import type { Link, LinkCounters } from '../../../model/snapshot/index.js';
import type { QueueRates } from '../../../model/views/nic.js';
import { perSecond } from './rates.js';

/**
 * How drivers name a statistic of one queue: mlx5 "rx3_packets", virtio_net, igb and ice "rx_queue_3_packets", i40e
 * "rx-3.packets", ena "queue_3_rx_cnt", gve "rx_packets[3]", bnxt "[3]: rx_ucast_packets", nfp "rvec_3_rx_pkts".
 */
const NAMES: readonly RegExp[] = [
  /^(?<direction>rx|tx)[-_]?(?:queue[-_])?(?<index>\d+)[._](?<what>.+)$/,
  /^(?:queue|rvec)_(?<index>\d+)_(?<direction>rx|tx)_(?<what>.+)$/,
  /^(?<direction>rx|tx)_(?<what>.+)\[(?<index>\d+)\]$/,
  /^\[(?<index>\d+)\]: (?<direction>rx|tx)_(?<what>.+)$/,
];

/** bnxt counts packets by how they are addressed: these add up. */
const METRICS: readonly { metric: Metric; names: RegExp }[] = [
  { metric: 'packets', names: /^(?:(?:ucast|mcast|bcast)_)?(?:packets|pkts|cnt)$/ },
  { metric: 'bytes', names: /^(?:(?:ucast|mcast|bcast)_)?bytes$/ },
  { metric: 'drops', names: /^(?:drops?|dropped|dropped_pkt|discards|discard_pkts)$/ },
  // What veth's NAPI handles, whether a program is attached or not; in other drivers only what a program handled.
  { metric: 'napiPackets', names: /^xdp_packets$/ },
  { metric: 'napiBytes', names: /^xdp_bytes$/ },
];

type Metric = 'packets' | 'bytes' | 'drops' | 'napiPackets' | 'napiBytes';
type Queue = Pick<QueueRates, 'direction' | 'index'> & Partial<Record<Metric, number>>;

/** What each queue moved, as far as the driver counts by queue; receive before transmit. */
export function queueRates(
  { driver }: Pick<Link, 'driver'>,
  first: LinkCounters | undefined,
  last: LinkCounters | undefined,
  seconds: number | undefined,
): QueueRates[] {
  const metrics = driver === 'veth' ? METRICS : METRICS.filter(({ metric }) => !metric.startsWith('napi'));
  const before = queuesOf(first, metrics);
  return [...queuesOf(last, metrics)]
    .map(([key, now]) => ratesOf(before.get(key), now, seconds))
    .sort((a, b) => a.direction.localeCompare(b.direction) || a.index - b.index);
}

/** The kernel's own names win: what a driver calls its statistics is its own affair. */
function queuesOf(counters: LinkCounters | undefined, metrics: typeof METRICS): Map<string, Queue> {
  const queues = driverQueues(counters, metrics);
  for (const queue of counters?.queues ?? []) {
    const key = keyOf(queue);
    queues.set(key, { ...queues.get(key), ...queue });
  }
  return queues;
}

function driverQueues(counters: LinkCounters | undefined, metrics: typeof METRICS): Map<string, Queue> {
  const queues = new Map<string, Queue>();
  for (const [name, value] of Object.entries(counters?.driver ?? {})) {
    const found = NAMES.map((pattern) => pattern.exec(name)?.groups).find((groups) => groups !== undefined);
    const metric = metrics.find(({ names }) => names.test(found?.what ?? ''))?.metric;
    if (!found || !metric) continue;
    const queue: Queue = { direction: found.direction as Queue['direction'], index: Number(found.index) };
    const known = queues.get(keyOf(queue)) ?? queue;
    queues.set(keyOf(queue), { ...known, [metric]: (known[metric] ?? 0) + value });
  }
  return queues;
}

const keyOf = ({ direction, index }: Queue) => `${direction}${index}`;

function ratesOf(first: Queue | undefined, last: Queue, seconds: number | undefined): QueueRates {
  const { direction, index, drops } = last;
  const own = last.packets !== undefined || last.bytes !== undefined;
  const [packets, bytes] = own ? (['packets', 'bytes'] as const) : (['napiPackets', 'napiBytes'] as const);
  const rate = (metric: Metric) => perSecond(first?.[metric], last[metric], seconds);
  const bytesPerS = rate(bytes);
  const packetsPerS = rate(packets);
  const dropsPerS = rate('drops');
  return {
    direction,
    index,
    ...(bytesPerS === undefined ? {} : { bps: bytesPerS * 8 }),
    ...(packetsPerS === undefined ? {} : { packetsPerS }),
    ...(dropsPerS === undefined ? {} : { dropsPerS }),
    ...(last[packets] === undefined ? {} : { packets: last[packets] }),
    ...(drops === undefined ? {} : { drops }),
  };
}
