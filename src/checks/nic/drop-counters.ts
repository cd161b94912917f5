import type { Evidence } from '../../model/results.js';
import type { LinkCounters } from '../../model/snapshot/index.js';
import { growth } from '../view.js';

/**
 * Counters of packets that were lost because the receive ring had no free buffer (or could not be emptied fast
 * enough), by the names that drivers document or define. Matched by whole name: "drop" in a name is often a filter at
 * work.
 */
const STANDARD = [
  'rx_missed_errors', // "dropped by the device due to lack of buffer space" (linux/if_link.h)
  'rx_fifo_errors', // receiver FIFO overflow (linux/if_link.h)
  'rx_over_errors', // receiver ring overflow (linux/if_link.h)
];

const DRIVER = [
  'rx_missed_errors', // e1000, e1000e, igb, igc, ixgbe
  'rx_no_buffer_count', // e1000, e1000e, igb, igc
  'rx_fifo_errors', // e1000, igb, ixgbe
  'rx_over_errors', // ixgbe
  'rx_no_dma_resources', // ixgbe
  'port.rx_discards', // i40e
  'rx_out_of_buffer', // mlx5
  'rx_discards_phy', // mlx5: the port's own buffer
  'dev_out_of_buffer', // mlx5
  'rx_overruns', // ena
  'rx_total_discard_pkts', // bnxt_en
  'rx_total_ring_discards', // bnxt_en
  'rx_discards', // tg3, bnx2x
  'rx_nodesc_drop_cnt', // sfc, older
  'rx_nodesc_drops', // sfc
  'port_rx_nodesc_drops', // sfc
  'no_buff_discards', // qede
  'rx_no_bufs', // enic
  'rx_drops_no_pbuf', // be2net
];

/** The same per queue. */
const PER_QUEUE = [
  /^rx_no_buffers_posted\[\d+\]$/, // gve
  /^rx_queue_drop_cnt\[\d+\]$/, // gve
  /^rx_prio\d+_discards$/, // mlx5
  /^\s*pkts rx (OOB|out of buf)$/, // vmxnet3
];

export interface DropCounter {
  key: string;
  source: string;
  delta?: number;
  total: number;
}

/** Those that this link has, with their growth over the window where there are two readings. */
export function receiveDrops(first: LinkCounters | undefined, last: LinkCounters): DropCounter[] {
  const rows: DropCounter[] = [];
  const add = (source: string, key: string, before: number | undefined, now: number) => {
    const delta = growth(before, now);
    rows.push({ key: key.trim(), source, total: now, ...(delta === undefined ? {} : { delta }) });
  };
  for (const key of STANDARD) {
    const now = last.standard[key];
    if (now !== undefined) add('rtnetlink IFLA_STATS64', key, first?.standard[key], now);
  }
  for (const [key, now] of Object.entries(last.driver ?? {})) {
    if (DRIVER.includes(key) || PER_QUEUE.some((name) => name.test(key)))
      add('ethtool -S', key, first?.driver?.[key], now);
  }
  return rows;
}

/** One loss shows in several counters (the driver's and the standard one), so they are never added up. */
export const largest = (counters: readonly DropCounter[], of: (counter: DropCounter) => number): number =>
  counters.reduce((most, counter) => Math.max(most, of(counter)), 0);

export const dropEvidence = (interface_: string, counters: readonly DropCounter[]): Evidence[] =>
  counters.flatMap(({ key, source, delta, total }) => {
    const subject = { interface: interface_ };
    const base = { source, key, unit: 'packets', subject };
    return [
      ...(delta === undefined ? [] : [{ ...base, value: delta, scope: 'window' as const }]),
      { ...base, value: total, scope: 'total' as const },
    ];
  });
