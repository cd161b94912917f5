import type { Evidence } from '../../model/results.js';
import type { Link } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, pass, warn } from '../findings.js';
import type { NetView } from '../view.js';
import { judgeBus, judgeSpeed, row, subjectOf } from './link-hardware.js';
import { isDevice, linksOf, type Nic, nothingToJudge } from './nics.js';

export const link = defineCheck({
  id: 'link',
  title: 'Link state, speed and bus width',
  category: 'nic',
  scope: 'netns',
  priority: 78,
  thresholds: {
    lossPercent: {
      default: 0.01,
      unit: '%',
      description: 'Share of received packets with damage from which it is a failure.',
    },
  },
  page: {
    mechanism:
      'A link negotiates speed and duplex with its peer, and a card negotiates speed and width with its PCIe slot. A bad cable, port or slot leaves it working below what it can, or damages packets, which the card then drops.',
    reads:
      'Carrier, speed, duplex and supported modes (ethtool), current and maximum PCIe speed and width (sysfs), rx_crc_errors, rx_frame_errors and collisions (rtnetlink) over the window.',
    threshold:
      'fail: at least 3 damaged packets within the window, and 0.01 % of those received. warn: any damaged packet within the window; no carrier on an interface that is set up with an address; half duplex; 100 Mbit/s or less where 1000 is possible; a PCIe connection slower than the link. info: below the highest supported speed or PCIe width otherwise. Speed and duplex of virtual links mean nothing and are not judged.',
    why: 'The link works, but below what the hardware can: a slow or lossy link looks like a slow network.',
    remedy: 'Check cable, transceiver, switch port and slot; leave autonegotiation on at both ends.',
    risk: 'Replugging interrupts the interface.',
    undo: 'Not applicable.',
    needs: 'hands on the hardware',
    sources: [
      'ethtool(8)',
      'https://docs.kernel.org/networking/statistics.html (rx_crc_errors, rx_frame_errors, collisions)',
    ],
  },
  judge({ net, threshold }: NetContext): Finding[] {
    const nics = linksOf(net, (candidate) => isDevice(candidate) || candidate.kind === 'veth');
    if (nics.length === 0) return [nothingToJudge(net, 'no device and no veth in this namespace')];
    return nics.flatMap((nic) => {
      const findings = [
        ...judgeCarrier(nic, net),
        ...(isDevice(nic.link) && nic.link.carrier !== false
          ? [...judgeDamage(nic, threshold('lossPercent')), ...judgeSpeed(nic.link), ...judgeBus(nic.link)]
          : []),
      ];
      return findings.length > 0 ? findings : [healthy(nic.link)];
    });
  },
});

function healthy(link: Link): Finding {
  const down = link.carrier === false;
  const words = [
    down ? 'has no carrier and no address' : 'is up',
    ...(link.speedMbps !== undefined && !down ? [`${link.speedMbps} Mbit/s`] : []),
    ...(link.duplex && !down ? [`${link.duplex} duplex`] : []),
  ];
  return pass(
    `${link.name} ${words.join(', ')}`,
    [row(link, 'rtnetlink', 'operstate', link.operState)],
    subjectOf(link),
  );
}

/** Only where somebody relies on it: a port without an address is often just not plugged in. */
function judgeCarrier({ link }: Nic, net: NetView): Finding[] {
  const addresses = net.facts.addresses.filter((a) => a.interface === link.name && a.scope === 'global');
  if (link.carrier !== false || (addresses.length === 0 && link.master === undefined)) return [];
  const role = addresses[0] ? `has the address ${addresses[0].address}` : `is a member of ${link.master}`;
  return [
    warn(
      `${link.name} is set up and ${role}, but has no carrier`,
      [row(link, 'rtnetlink', 'carrier', false), row(link, 'rtnetlink', 'operstate', link.operState)],
      {
        ...subjectOf(link),
        weight: 3,
        why: 'Nothing can be sent or received over it: traffic routed this way is lost.',
        remedy: isDevice(link)
          ? { summary: 'Check cable, transceiver and the port of the switch', commands: [`ethtool ${link.name}`] }
          : {
              summary:
                'Set the other end of the pair up (it may be in another namespace, or its container is stopping)',
            },
      },
    ),
  ];
}

/** One or two on a quiet link are a large share of nothing. */
const MIN_DAMAGED = 3;

function judgeDamage({ link, last, delta }: Nic, lossPercent: number): Finding[] {
  const counters = ['rx_crc_errors', 'rx_frame_errors'].map((key) => ({ key, count: delta(key) ?? 0 }));
  const damaged = Math.max(...counters.map(({ count }) => count)); // a frame may be in both
  if (damaged === 0) return [];
  const percent = (100 * damaged) / (damaged + (delta('rx_packets') ?? 0));
  const evidence = counters.flatMap(({ key, count }): Evidence[] => [
    { ...row(link, 'rtnetlink IFLA_STATS64', key, count, 'packets'), scope: 'window' },
    { ...row(link, 'rtnetlink IFLA_STATS64', key, last?.standard[key] ?? count, 'packets'), scope: 'total' },
  ]);
  return [
    (damaged >= MIN_DAMAGED && percent >= lossPercent ? fail : warn)(
      `${link.name} received ${damaged} damaged packets (${percent.toPrecision(2)} % of all) and dropped them`,
      evidence,
      {
        ...subjectOf(link),
        weight: 10,
        why: 'Packets are damaged on the way and dropped: each costs a retransmission.',
      },
    ),
  ];
}
