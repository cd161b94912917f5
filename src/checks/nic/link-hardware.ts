import type { Evidence } from '../../model/results.js';
import type { Link } from '../../model/snapshot/index.js';
import type { Finding } from '../check.js';
import { info, warn } from '../findings.js';

export const subjectOf = ({ name }: Link) => ({ subject: { interface: name } });

export const row = (
  link: Link,
  source: string,
  key: string,
  value: string | number | boolean,
  unit = '',
): Evidence => ({
  source,
  key,
  value,
  unit,
  scope: 'now',
  ...subjectOf(link),
});

/** Speed and duplex as negotiated, against what the card supports. */
export function judgeSpeed(link: Link): Finding[] {
  const { speedMbps, supportedSpeedMbps, duplex } = link;
  const findings: Finding[] = [];
  const source = 'ethtool netlink (linkmodes)';
  if (duplex === 'half')
    findings.push(
      warn(`${link.name} runs at half duplex`, [row(link, source, 'duplex', 'half'), ...autoNegotiation(link)], {
        ...subjectOf(link),
        weight: 5,
        why: 'Sending and receiving exclude each other. When only one end believes in half duplex, packets are lost under load.',
        remedy: {
          summary: 'Turn autonegotiation on at both ends; a fixed setting at one end leaves the other at half duplex',
        },
      }),
    );
  if (!speedMbps || !supportedSpeedMbps || speedMbps >= supportedSpeedMbps) return findings;
  const evidence = [
    row(link, source, 'speed', speedMbps, 'Mbit/s'),
    row(link, source, 'highest supported speed', supportedSpeedMbps, 'Mbit/s'),
    ...autoNegotiation(link),
  ];
  const fault = speedMbps <= 100 && supportedSpeedMbps >= 1000;
  findings.push(
    (fault ? warn : info)(`${link.name} runs at ${speedMbps} Mbit/s; the card can do ${supportedSpeedMbps}`, evidence, {
      ...subjectOf(link),
      weight: supportedSpeedMbps / speedMbps,
    }),
  );
  return findings;
}

const autoNegotiation = (link: Link) =>
  link.autoNegotiation === undefined
    ? []
    : [row(link, 'ethtool netlink (linkmodes)', 'autonegotiation', link.autoNegotiation)];

/** Data rate of a PCIe connection per lane: 8b/10b below 8 GT/s, 128b/130b from there on. */
const gbps = (gts: number, lanes: number) => gts * lanes * (gts < 8 ? 0.8 : 128 / 130);

/** The PCIe connection of the card against what it can do and what its link needs. */
export function judgeBus(link: Link): Finding[] {
  const { width, maxWidth, speedGts, maxSpeedGts } = link.pcie ?? {};
  if (!width || !maxWidth) return [];
  const slower = speedGts !== undefined && maxSpeedGts !== undefined && speedGts < maxSpeedGts;
  if (width >= maxWidth && !slower) return [];
  const has = speedGts ? gbps(speedGts, width) : undefined;
  const needs = (link.speedMbps ?? 0) / 1000;
  const limits = has !== undefined && has < needs;
  if (width >= maxWidth && !limits) return []; // a slower generation that still carries the link
  const at = (gts: number | undefined, lanes: number) => `x${lanes}${gts ? ` at ${gts} GT/s` : ''}`;
  return [
    (limits ? warn : info)(
      `${link.name} sits at PCIe ${at(speedGts, width)}; the card can do ${at(maxSpeedGts, maxWidth)}${limits ? `: ${Math.floor(has)} Gbit/s for a link of ${needs}` : ''}`,
      [
        row(link, `/sys/bus/pci/devices/${link.bus ?? ''}`, 'current_link_width', width, 'lanes'),
        row(link, `/sys/bus/pci/devices/${link.bus ?? ''}`, 'max_link_width', maxWidth, 'lanes'),
        ...(speedGts
          ? [row(link, `/sys/bus/pci/devices/${link.bus ?? ''}`, 'current_link_speed', speedGts, 'GT/s')]
          : []),
      ],
      {
        ...subjectOf(link),
        weight: maxWidth / width,
        remedy: { summary: 'Move the card to a slot with as many lanes; reseat it when the slot has them' },
      },
    ),
  ];
}
