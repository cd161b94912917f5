import type { Evidence } from '../../model/results.js';
import type { Link } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, pass, unknown, warn } from '../findings.js';
import { ethtoolKey, isDevice, linksOf, type Nic, nothingToJudge, receiveQueues } from './nics.js';
import { judgePause } from './pause.js';

/** One thing that a card does for the CPU: on when any of the features is. */
interface Offload {
  name: string;
  /** Names of the kernel; which of them a driver has depends on the driver. */
  features: string[];
  /** The short name for ethtool -K. */
  option: string;
  direction: 'rx' | 'tx';
  /** On a veth pair it is missing by default, or changes nothing. */
  deviceOnly?: boolean;
  /** Never more than an opportunity. */
  minor?: boolean;
}

const OFFLOADS: Offload[] = [
  { name: 'generic receive offload', features: ['rx-gro'], option: 'gro', direction: 'rx', deviceOnly: true },
  { name: 'receive checksums', features: ['rx-checksum'], option: 'rx', direction: 'rx', deviceOnly: true },
  {
    name: 'transmit checksums',
    features: ['tx-checksum-ip-generic', 'tx-checksum-ipv4', 'tx-checksum-ipv6'],
    option: 'tx',
    direction: 'tx',
  },
  { name: 'scatter-gather', features: ['tx-scatter-gather'], option: 'sg', direction: 'tx' },
  { name: 'TCP segmentation offload', features: ['tx-tcp-segmentation'], option: 'tso', direction: 'tx' },
  { name: 'generic segmentation offload', features: ['tx-generic-segmentation'], option: 'gso', direction: 'tx' },
  { name: 'receive hash', features: ['rx-hashing'], option: 'rxhash', direction: 'rx', deviceOnly: true, minor: true },
];

/** What a driver leaves off because of its hardware: nobody turned it off, and turning it on may lose the link. */
const OFF_BY_DRIVER: Readonly<Record<string, readonly string[]>> = { r8169: ['sg', 'tso'] };

export const offloads = defineCheck({
  id: 'offloads',
  title: 'Offloads and pause frames',
  category: 'nic',
  scope: 'netns',
  priority: 48,
  thresholds: {
    loadMbps: { default: 500, unit: 'Mbit/s', description: 'From this rate an offload that is off is a warning.' },
  },
  page: {
    mechanism:
      'With segmentation offload (TSO, GSO) the stack handles up to 64 KiB at once and the card, or the last step before it, cuts packets; with GRO received packets are put together again; checksums are made and checked by the card. Without them the CPU does all of it per packet. Pause frames are how a receiver (the switch, or this card) makes its peer stop sending.',
    reads:
      'Features of the interface (ethtool -k), bytes moved, pause frames (ethtool -I -a) at both ends of the window; RSS table (ethtool -x).',
    threshold:
      'An offload that is off and could be on: warn at 500 Mbit/s in its direction or under --profile throughput, else info. GRO is not judged under --profile latency. Of a veth pair only what it has by default is judged (it has no GRO). Pause frames within the window: warn.',
    why: 'Each packet costs the CPU work that the card could do, several times over for large transfers.',
    remedy: 'Turn the offloads on again, unless they were turned off to work around a bug of the card or its driver.',
    risk: 'Somebody may have turned them off for a reason: a driver bug, or packet capture that should show what is on the wire.',
    undo: 'ethtool -K IFACE OPTION off',
    needs: 'nothing',
    tune: { keys: ['ethtool:*:features.*'] },
    sources: [
      'https://docs.kernel.org/networking/segmentation-offloads.html',
      'https://docs.kernel.org/networking/checksum-offloads.html',
      'ethtool(8): -k, -K, -a',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const nics = linksOf(net, (link) => isDevice(link) || link.kind === 'veth');
    if (nics.length === 0) return [nothingToJudge(net, 'no device and no veth in this namespace')];
    return nics.flatMap((nic) => [judgeFeatures(nic, context), ...judgePause(nic), ...judgeTable(nic)]);
  },
});

function judgeFeatures(nic: Nic, { profile, threshold }: NetContext): Finding {
  const { link } = nic;
  const subject = { interface: link.name };
  const { features } = link;
  if (!features || Object.keys(features).length === 0)
    return unknown(`the features of ${link.name} could not be read`, [], { subject });
  const judged = OFFLOADS.filter(
    ({ option, deviceOnly }) =>
      !(deviceOnly && !isDevice(link)) &&
      !(option === 'gro' && profile === 'latency') &&
      !OFF_BY_DRIVER[link.driver ?? '']?.includes(option) &&
      !(option === 'rxhash' && (receiveQueues(link) ?? 1) < 2),
  );
  const off = judged.filter((offload) => isOff(offload, features));
  if (off.length === 0)
    return pass(
      `${link.name} has its offloads on`,
      judged.flatMap((offload) => evidenceOf(link, offload)),
      { subject },
    );
  const mbps = (direction: 'rx' | 'tx') => ((nic.rate(`${direction}_bytes`) ?? 0) * 8) / 1e6;
  const loaded = off.filter(
    ({ direction, minor }) => !minor && (profile === 'throughput' || mbps(direction) >= threshold('loadMbps')),
  );
  const set = (to: string) => `ethtool -K ${link.name} ${off.map(({ option }) => `${option} ${to}`).join(' ')}`;
  const rates =
    loaded.length > 0 ? `, at ${Math.round(mbps('rx'))} Mbit/s in and ${Math.round(mbps('tx'))} Mbit/s out` : '';
  return (loaded.length > 0 ? warn : info)(
    `${link.name}: ${off.map(({ name }) => name).join(', ')} ${off.length === 1 ? 'is' : 'are'} off${rates}`,
    off.flatMap((offload) => evidenceOf(link, offload)),
    {
      subject,
      weight: mbps('rx') + mbps('tx'),
      remedy: {
        summary: `Turn the offloads of ${link.name} on again`,
        commands: [set('on')],
        tunes: off.map((offload) => ({
          key: ethtoolKey(link, `features.${changeable(offload, features)}`),
          from: 'off',
          to: 'on',
        })),
        undo: set('off'),
      },
    },
  );
}

/** None of the features is on, and at least one could be. */
const isOff = (offload: Offload, features: NonNullable<Link['features']>): boolean => {
  const known = offload.features.flatMap((name) => features[name] ?? []);
  return known.every(({ on }) => !on) && known.some(({ changeable }) => changeable);
};

const changeable = (offload: Offload, features: NonNullable<Link['features']>) =>
  offload.features.find((name) => features[name]?.changeable) ?? offload.option;

const evidenceOf = (link: Link, offload: Offload): Evidence[] =>
  offload.features.flatMap((name) => {
    const feature = link.features?.[name];
    if (!feature || (!feature.on && !feature.changeable)) return [];
    return [
      {
        source: 'ethtool netlink (features)',
        key: name,
        value: feature.on ? 'on' : 'off',
        unit: '',
        scope: 'now' as const,
        subject: { interface: link.name },
      },
    ];
  });

/** An RSS table that leaves queues out. May be on purpose (queues set aside for AF_XDP), so never more than info. */
function judgeTable({ link }: Nic): Finding[] {
  const queues = receiveQueues(link);
  const used = link.rss?.queuesUsed;
  if (!isDevice(link) || used === undefined || queues === undefined || queues < 2 || used >= queues || used === 0)
    return [];
  const evidence: Evidence[] = [
    {
      source: 'ethtool netlink (rss)',
      key: 'queues used',
      value: used,
      unit: '1',
      scope: 'now',
      subject: { interface: link.name },
    },
  ];
  return [
    info(`the RSS table of ${link.name} uses ${used} of its ${queues} receive queues`, evidence, {
      subject: { interface: link.name },
      remedy: {
        summary: 'Spread the table over all queues, unless the others are set aside on purpose',
        commands: [`ethtool -X ${link.name} equal ${queues}`],
        undo: `ethtool -X ${link.name} equal ${used}`,
      },
    }),
  ];
}
