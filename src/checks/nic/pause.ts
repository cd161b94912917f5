import type { Evidence } from '../../model/results.js';
import type { LinkCounters } from '../../model/snapshot/index.js';
import type { Finding } from '../check.js';
import { warn } from '../findings.js';
import { growth } from '../view.js';
import { isDevice, type Nic } from './nics.js';

/** Where the standard pause statistics are missing: names of mlx5 and of Intel's drivers. */
const DRIVER = {
  rxFrames: ['rx_pause_ctrl_phy', 'rx_global_pause', 'rx_flow_control_xoff', 'port.link_xoff_rx', 'link_xoff_rx.nic'],
  txFrames: ['tx_pause_ctrl_phy', 'tx_global_pause', 'tx_flow_control_xoff', 'port.link_xoff_tx', 'link_xoff_tx.nic'],
} as const;

type Direction = keyof typeof DRIVER;

function read(counters: LinkCounters | undefined, direction: Direction): { key: string; value: number } | undefined {
  const standard = counters?.pause?.[direction];
  if (standard !== undefined)
    return { key: direction === 'rxFrames' ? 'rx_pause_frames' : 'tx_pause_frames', value: standard };
  const key = DRIVER[direction].find((name) => counters?.driver?.[name] !== undefined);
  return key === undefined ? undefined : { key, value: counters?.driver?.[key] as number };
}

/** Pause frames that moved within the window; nothing to say otherwise. */
export function judgePause({ link, first, last }: Nic): Finding[] {
  if (!isDevice(link)) return [];
  return (['rxFrames', 'txFrames'] as const).flatMap((direction) => {
    const now = read(last, direction);
    const grown = growth(read(first, direction)?.value, now?.value);
    if (!now || !grown) return [];
    const source = last?.pause?.[direction] === undefined ? 'ethtool -S' : 'ethtool netlink (pause)';
    const base = { source, key: now.key, unit: 'frames', subject: { interface: link.name } };
    const evidence: Evidence[] = [
      { ...base, value: grown, scope: 'window' },
      { ...base, value: now.value, scope: 'total' },
    ];
    const received = direction === 'rxFrames';
    return [
      warn(
        received
          ? `${link.name} was told to stop sending: ${grown} pause frames came in`
          : `${link.name} told its peer to stop: it sent ${grown} pause frames`,
        evidence,
        {
          subject: { interface: link.name },
          weight: grown,
          why: received
            ? 'The switch (or the peer) cannot take what this host sends: all flows of the link wait, not only the one that is too fast.'
            : 'This host does not take packets as fast as they come: without pause frames they would be lost (see ring, softnet-squeezed).',
          remedy: {
            summary: received
              ? 'Find what is congested behind the switch port; do not turn flow control off on a lossless (RDMA) fabric'
              : 'Let this host take packets faster: larger ring, more channels, interrupts on CPUs with time',
          },
        },
      ),
    ];
  });
}
