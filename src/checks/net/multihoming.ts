import type { Evidence } from '../../model/results.js';
import type { Link } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, notApplicable, pass, warn } from '../findings.js';
import type { NetView } from '../view.js';
import { uplinks } from './uplinks.js';

const FILTERED = 'TcpExtIPReversePathFilter';

export const multihoming = defineCheck({
  id: 'multihoming',
  title: 'Several uplinks and bonds',
  category: 'ip',
  scope: 'netns',
  priority: 70,
  page: {
    mechanism:
      'With several uplinks a packet may come in by one and its answer leave by another. Strict reverse-path filtering (rp_filter 1; the larger of conf.all and that of the interface counts) drops each packet whose answer would not leave by the interface it came in on. A bond hides the loss of a member until the last one fails.',
    reads:
      'Routes, addresses and bond members by rtnetlink; net.ipv4.conf.*.rp_filter; TcpExtIPReversePathFilter in /proc/net/netstat, twice.',
    threshold:
      'fail: a bond without a working member; packets dropped by strict rp_filter within the window on a host with several uplinks. warn: a bond that lost a member. info: such drops since boot only.',
    why: 'Packets that arrive on the other uplink are dropped silently, or the next loss of a cable takes the host off the network.',
    remedy:
      'Asymmetric paths: give each uplink its own routing table and rule (ip rule add from ADDRESS table N), or set rp_filter to 2 (loose) on the uplinks. A bond: find why the member is down (cable, switch port, LACP).',
    risk: 'Loose filtering accepts packets with a source address that is reachable by any interface: it weakens the protection against spoofing.',
    undo: 'sysctl -w net.ipv4.conf.<interface>.rp_filter=1',
    needs: 'nothing',
    tune: { keys: ['net.ipv4.conf.*.rp_filter'] },
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (rp_filter)',
      'https://docs.kernel.org/networking/bonding.html',
      'RFC 3704 (strict and loose reverse-path filtering)',
    ],
  },
  judge({ net }: NetContext): Finding[] {
    const bonds = net.facts.links.filter((link) => link.bond !== undefined);
    const ways = uplinks(net.facts);
    if (bonds.length === 0 && ways.length < 2) return [notApplicable('one uplink at most, and no bond')];
    const bad = [...bonds.flatMap(bondFinding), ...(ways.length > 1 ? filtering(net, ways) : [])];
    if (bad.length > 0) return bad;
    const evidence: Evidence[] = [
      { source: 'rtnetlink', key: 'uplinks', value: ways.map((l) => l.name).join(' '), unit: '', scope: 'now' },
      ...net.evidence(FILTERED),
    ];
    return [pass('every bond is whole and nothing was dropped for its path', evidence)];
  },
});

function bondFinding(link: Link): Finding[] {
  const members = link.bond?.members ?? [];
  const working = members.filter((m) => m.up);
  if (working.length === members.length && members.length > 0) return [];
  const down = members.filter((m) => !m.up).map((m) => m.name);
  const evidence: Evidence[] = [
    { source: 'rtnetlink', key: 'members', value: members.length, unit: '1', scope: 'now' },
    { source: 'rtnetlink', key: 'members up', value: working.length, unit: '1', scope: 'now' },
  ];
  const subject = { interface: link.name };
  if (!link.up && working.length === 0) return [info(`${link.name} is not in use`, evidence, { subject })];
  if (working.length === 0)
    return [
      fail(
        members.length === 0 ? `bond ${link.name} has no member` : `every member of bond ${link.name} is down`,
        evidence,
        { subject },
      ),
    ];
  return [
    warn(
      `bond ${link.name} (${link.bond?.mode}) runs on ${working.length} of ${members.length} members: ${down.join(', ')} down`,
      evidence,
      { subject },
    ),
  ];
}

function filtering(net: NetView, ways: readonly Link[]): Finding[] {
  const strict = ways.filter((link) => filterMode(net, link.name) === 1);
  if (strict.length === 0) return [];
  const names = strict.map((link) => link.name);
  const evidence = [
    ...net.evidence(FILTERED),
    net.sysctlEvidence('net.ipv4.conf.all.rp_filter'),
    ...names.map((name) => net.sysctlEvidence(keyOf(name))),
  ];
  const dropped = net.delta(FILTERED) ?? 0;
  const ever = net.total(FILTERED) ?? 0;
  if (ever === 0) return [];
  if (dropped === 0)
    return [info(`${ever} packets dropped by strict rp_filter since boot, none within the window`, evidence)];
  return [
    fail(
      `${dropped} packets dropped by strict rp_filter within the window, with ${ways.length} uplinks (${ways.map((l) => l.name).join(', ')})`,
      evidence,
      {
        weight: dropped,
        ...(names.length === 1 ? { subject: { interface: names[0] as string } } : {}),
        remedy: {
          summary: 'Route answers by the uplink their packets came in on, or filter loosely',
          commands: names.map((name) => `sysctl -w ${keyOf(name)}=2`),
          tunes: names.map((name) => ({ key: keyOf(name), from: net.sysctl(keyOf(name)) ?? '', to: '2' })),
          undo: names.map((name) => `sysctl -w ${keyOf(name)}=${net.sysctl(keyOf(name))}`).join('; '),
        },
      },
    ),
  ];
}

/** sysctl(8) writes the dot inside a name as a slash: eth0.100 is net.ipv4.conf.eth0/100. */
const keyOf = (name: string): string => `net.ipv4.conf.${name.replaceAll('.', '/')}.rp_filter`;

const filterMode = (net: NetView, name: string): number =>
  Math.max(net.sysctlNumber('net.ipv4.conf.all.rp_filter') ?? 0, net.sysctlNumber(keyOf(name)) ?? 0);
