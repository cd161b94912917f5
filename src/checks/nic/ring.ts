import type { Remedy } from '../../model/results.js';
import type { Link } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, needsWindow, notApplicable, pass } from '../findings.js';
import { type DropCounter, dropEvidence, largest, receiveDrops } from './drop-counters.js';
import { ethtoolKey, linksOf, type Nic, nothingToJudge } from './nics.js';

export const ring = defineCheck({
  id: 'ring',
  title: 'Receive ring overruns',
  category: 'nic',
  scope: 'netns',
  priority: 90,
  page: {
    mechanism:
      'A network card writes packets into the buffers of its receive ring. When the CPU that serves the queue does not give buffers back in time, the ring has none free and the card drops what arrives.',
    reads:
      'rx_missed_errors, rx_fifo_errors and rx_over_errors of the interface (rtnetlink), and the counters by which its driver tells the same (ethtool -S: rx_out_of_buffer, rx_no_buffer_count, rx_no_dma_resources, rx_discards_phy, …), twice; ring size and its maximum (ethtool -g).',
    threshold: 'fail: one of them grew within the window. info: above zero since boot, none within the window.',
    why: 'The card had no buffer for packets that had arrived: their senders wait for a retransmission, or lose them.',
    remedy:
      'Grow the ring when the driver allows more; see that the CPU of the queue is not overloaded (softnet-squeezed, irq-affinity, channels).',
    risk: 'Resizing resets the queues: packets are lost for a moment, with some drivers the link goes down for a second. A larger ring no longer fits the cache and adds delay under load.',
    undo: 'ethtool -G IFACE rx FORMER',
    needs: 'nothing (a short interruption of the interface)',
    tune: { keys: ['ethtool:*:rings.rx'] },
    sources: [
      'https://docs.kernel.org/networking/statistics.html (rtnl_link_stats64)',
      'https://docs.kernel.org/networking/device_drivers/ethernet/mellanox/mlx5/counters.html',
      'ENA Linux driver best practices, "CPU starvation": https://github.com/amzn/amzn-drivers/blob/master/kernel/linux/ena/ENA_Linux_Best_Practices.rst',
      'ethtool(8): -g, -G, -S',
    ],
  },
  judge({ net }: NetContext): Finding[] {
    const nics = linksOf(net);
    if (nics.length === 0) return [nothingToJudge(net)];
    if (!net.first) return [needsWindow()];
    return nics.map(judgeNic);
  },
});

function judgeNic({ link, first, last }: Nic): Finding {
  const subject = { interface: link.name };
  const counters = last ? receiveDrops(first, last) : [];
  if (counters.length === 0)
    return notApplicable(
      `${link.name} (${link.driver ?? 'unknown driver'}) has no known counter of ring overruns`,
      [],
      {
        subject,
      },
    );
  const moved = counters.filter(({ delta }) => (delta ?? 0) > 0);
  if (moved.length > 0) {
    const lost = largest(moved, ({ delta }) => delta ?? 0);
    return fail(
      `${link.name} dropped ${lost} packets for want of receive buffers (${names(moved)}); ${ringWords(link)}`,
      [...dropEvidence(link.name, moved), ...ringEvidence(link)],
      { subject, weight: lost, remedy: remedyFor(link) },
    );
  }
  const since = counters.filter(({ total }) => total > 0);
  if (since.length === 0)
    return pass(
      `${link.name} never ran out of receive buffers`,
      [...dropEvidence(link.name, counters), ...ringEvidence(link)],
      {
        subject,
      },
    );
  return info(
    `${link.name} dropped ${largest(since, ({ total }) => total)} packets for want of receive buffers since boot (${names(since)}), none within the window`,
    [...dropEvidence(link.name, since), ...ringEvidence(link)],
    { subject },
  );
}

const names = (counters: readonly DropCounter[]) => [...new Set(counters.map(({ key }) => key))].slice(0, 4).join(', ');

function ringWords({ rings }: Link): string {
  if (rings?.rx === undefined) return 'the size of its ring is not shown';
  if (rings.rxMax === undefined) return `its ring has ${rings.rx} entries`;
  return rings.rx < rings.rxMax
    ? `its ring has ${rings.rx} of ${rings.rxMax} possible entries`
    : `its ring is at its maximum of ${rings.rxMax} entries`;
}

function remedyFor(link: Link): Partial<Remedy> & Pick<Remedy, 'summary'> {
  const { rx, rxMax } = link.rings ?? {};
  if (rx === undefined || rxMax === undefined || rx >= rxMax)
    return { summary: 'The ring cannot grow: let more CPUs serve it (channels, irq-affinity), or take load off them' };
  const to = Math.min(rxMax, rx * 4);
  return {
    summary: `Grow the receive ring of ${link.name} from ${rx} to ${to}`,
    commands: [`ethtool -G ${link.name} rx ${to}`],
    tunes: [{ key: ethtoolKey(link, 'rings.rx'), from: String(rx), to: String(to) }],
    undo: `ethtool -G ${link.name} rx ${rx}`,
  };
}

const ringEvidence = ({ name, rings }: Link) =>
  (['rx', 'rxMax'] as const).flatMap((key) =>
    rings?.[key] === undefined
      ? []
      : [
          {
            source: 'ethtool netlink (rings)',
            key,
            value: rings[key],
            unit: 'entries',
            scope: 'now' as const,
            subject: { interface: name },
          },
        ],
  );
