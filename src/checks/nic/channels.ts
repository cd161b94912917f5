import type { Evidence } from '../../model/results.js';
import type { Link } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { coreCount } from '../cpus.js';
import { needsWindow, notApplicable, pass, unknown, warn } from '../findings.js';
import { hotCpuOf, loadEvidence, loadUnknown } from './load.js';
import { ethtoolKey, linksOf, type Nic, nothingToJudge } from './nics.js';

export const channels = defineCheck({
  id: 'channels',
  title: 'Too few NIC channels',
  category: 'nic',
  scope: 'netns',
  priority: 60,
  thresholds: {
    hotPercent: {
      default: 60,
      unit: '%',
      description: "Share of a CPU's time in interrupts from which more channels are worth it.",
    },
    packetsPerSecond: { default: 10_000, unit: 'packets/s', description: 'Below this a link is not judged.' },
  },
  page: {
    mechanism:
      'A channel is a queue (or a pair) of the card with an interrupt of its own. Receive-side scaling spreads flows over the channels, so their number bounds how many CPUs can take packets from the card.',
    reads:
      'Channels and their maximum (ethtool -l), cores from the CPU topology, interrupts of the card per CPU (/proc/interrupts) and time in irq and softirq per CPU (/proc/stat), both twice.',
    threshold:
      'warn: fewer channels than both the maximum and the cores, while a CPU that serves the card spends 60 % of its time in interrupts and the link carries 10,000 packets a second. Few channels on CPUs with time to spare pass: that is the most efficient setting.',
    why: 'The CPUs that serve the card are at their limit, and the card could use others.',
    remedy: 'Raise the number of channels, up to one per core; more than that showed no benefit.',
    risk: 'More interrupts; flows move to other queues; the driver resets its queues, so packets are lost for a moment.',
    undo: 'ethtool -L IFACE combined FORMER',
    needs: 'nothing (a short interruption of the interface)',
    tune: { keys: ['ethtool:*:channels.*'] },
    sources: ['https://docs.kernel.org/networking/scaling.html (RSS, Suggested Configuration)', 'ethtool(8): -l, -L'],
  },
  judge({ net, host, threshold }: NetContext): Finding[] {
    const nics = linksOf(net);
    if (nics.length === 0) return [nothingToJudge(net)];
    if (!net.windowMs) return [needsWindow()];
    const cores = coreCount(host.facts.cpus);
    return nics.map((nic) => judgeNic(nic, cores));

    function judgeNic(nic: Nic, cores: number): Finding {
      const { link } = nic;
      const subject = { interface: link.name };
      const use = channelUse(link);
      if (!use)
        return notApplicable(`${link.name} (${link.driver ?? 'unknown driver'}) has no channels to set`, [], {
          subject,
        });
      const wanted = Math.min(use.max, cores);
      const words = `${link.name} has ${use.now} of ${use.max} channels on ${cores} cores`;
      const evidence = channelEvidence(link, use);
      if (use.now >= wanted) return pass(words, evidence, { subject });
      const rate = nic.rate('rx_packets');
      if (rate === undefined) return unknown(`${words}; its packets were not counted`, evidence, { subject });
      if (rate < threshold('packetsPerSecond')) return pass(`${words}, which carries little`, evidence, { subject });
      const blind = loadUnknown(host);
      if (blind) return notApplicable(`${words}; ${blind}`, evidence, { subject });
      const hot = hotCpuOf(host, link, threshold('hotPercent'));
      if (!hot) return pass(`${words}, and no CPU is busy with it`, evidence, { subject });
      return warn(
        `${words}, and CPU ${hot.cpu} spends ${Math.round(hot.softirqPercent)} % of its time in interrupts`,
        [...evidence, loadEvidence(hot)],
        {
          subject,
          weight: rate,
          remedy: {
            summary: `Give ${link.name} ${wanted} channels`,
            commands: [`ethtool -L ${link.name} ${use.kind} ${wanted}`],
            tunes: [{ key: ethtoolKey(link, `channels.${use.kind}`), from: String(use.now), to: String(wanted) }],
            undo: `ethtool -L ${link.name} ${use.kind} ${use.now}`,
          },
        },
      );
    }
  },
});

/** What can be set: combined channels, else receive channels. */
function channelUse({ channels: c }: Link): { kind: 'combined' | 'rx'; now: number; max: number } | undefined {
  if (c?.combinedMax) return { kind: 'combined', now: c.combined ?? 0, max: c.combinedMax };
  if (c?.rxMax) return { kind: 'rx', now: c.rx ?? 0, max: c.rxMax };
  return undefined;
}

const channelEvidence = (link: Link, { kind, now, max }: { kind: string; now: number; max: number }): Evidence[] => {
  const base = { source: 'ethtool netlink (channels)', unit: '1', scope: 'now' as const };
  const subject = { interface: link.name };
  return [
    { ...base, key: kind, value: now, subject },
    { ...base, key: `${kind}Max`, value: max, subject },
  ];
};
