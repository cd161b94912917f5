import type { Evidence, Tune } from '../../model/results.js';
import type { Link } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { notApplicable, pass, warn } from '../findings.js';
import { ethtoolKey, linksOf, nothingToJudge } from './nics.js';

export const coalescing = defineCheck({
  id: 'coalescing',
  title: 'Interrupt coalescing',
  category: 'nic',
  scope: 'netns',
  priority: 35,
  page: {
    mechanism:
      'A card holds its interrupt back for some microseconds, or until some frames have come, so that one interrupt serves many packets. With adaptive coalescing the driver chooses that time by the load.',
    reads: 'adaptive-rx and rx-usecs (ethtool -c).',
    threshold: 'Judged under --profile latency alone. warn: adaptive-rx is on, or rx-usecs is above 0.',
    why: 'For latency each received packet may wait the coalescing time before anybody looks at it.',
    remedy:
      'Turn adaptive receive coalescing off and set rx-usecs to 0. Measure: with many small packets it costs throughput.',
    risk: 'One interrupt per packet at worst: under a flood the CPU does nothing else.',
    undo: 'ethtool -C IFACE adaptive-rx FORMER rx-usecs FORMER',
    needs: 'nothing',
    tune: { keys: ['ethtool:*:coalescing.*'], options: '--profile latency' },
    sources: [
      'ethtool(8): -c, -C',
      'ENA Linux driver best practices, "optimal settings for achieving the best latency": https://github.com/amzn/amzn-drivers/blob/master/kernel/linux/ena/ENA_Linux_Best_Practices.rst',
    ],
  },
  judge({ net, profile }: NetContext): Finding[] {
    if (profile !== 'latency') return [notApplicable('judged under --profile latency')];
    const nics = linksOf(net);
    if (nics.length === 0) return [nothingToJudge(net)];
    return nics.map(({ link }) => judgeLink(link));
  },
});

function judgeLink(link: Link): Finding {
  const subject = { interface: link.name };
  const { adaptiveRx, rxUsecs } = link.coalescing ?? {};
  if (adaptiveRx === undefined && rxUsecs === undefined)
    return notApplicable(`${link.name} (${link.driver ?? 'unknown driver'}) does not show receive coalescing`, [], {
      subject,
    });
  const evidence = coalescingEvidence(link);
  const waits = (rxUsecs ?? 0) > 0;
  if (!adaptiveRx && !waits) return pass(`${link.name} interrupts at once`, evidence, { subject });
  const tunes: Tune[] = [
    ...(adaptiveRx ? [{ key: ethtoolKey(link, 'coalescing.adaptiveRx'), from: 'on', to: 'off' }] : []),
    ...(waits ? [{ key: ethtoolKey(link, 'coalescing.rxUsecs'), from: String(rxUsecs), to: '0' }] : []),
  ];
  const set = (adaptive: string, usecs: number) =>
    [
      `ethtool -C ${link.name}`,
      ...(adaptiveRx ? [`adaptive-rx ${adaptive}`] : []),
      ...(waits ? [`rx-usecs ${usecs}`] : []),
    ].join(' ');
  return warn(
    `${link.name} holds receive interrupts back${adaptiveRx ? ' adaptively' : ` for ${rxUsecs} µs`}`,
    evidence,
    {
      subject,
      weight: rxUsecs ?? 0,
      remedy: {
        summary: `Let ${link.name} interrupt at once`,
        commands: [set('off', 0)],
        tunes,
        undo: set('on', rxUsecs ?? 0),
      },
    },
  );
}

function coalescingEvidence({ name, coalescing: c }: Link): Evidence[] {
  const base = { source: 'ethtool netlink (coalesce)', scope: 'now' as const, subject: { interface: name } };
  return [
    ...(c?.adaptiveRx === undefined ? [] : [{ ...base, key: 'adaptive-rx', value: c.adaptiveRx, unit: '' }]),
    ...(c?.rxUsecs === undefined ? [] : [{ ...base, key: 'rx-usecs', value: c.rxUsecs, unit: 'us' }]),
    ...(c?.rxFrames === undefined ? [] : [{ ...base, key: 'rx-frames', value: c.rxFrames, unit: 'frames' }]),
  ];
}
