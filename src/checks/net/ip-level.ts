import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, needsWindow, pass, unknown, warn } from '../findings.js';
import type { NetView } from '../view.js';
import { addressed, hasGlobalIpv6 } from './uplinks.js';

type Verdict = typeof fail;

interface Rule {
  counter: string;
  meaning: string;
  advice: string;
  verdict(net: NetView, delta: number): Verdict;
}

const reassembly = (ip: 'Ip' | 'Ip6'): Rule => ({
  counter: `${ip}ReasmFails`,
  meaning: `${ip === 'Ip' ? 'IPv4' : 'IPv6'} reassemblies failed: a fragment was lost, late or refused`,
  advice: `Avoid fragments (datagrams below the path MTU); else see whether they are lost on the way or memory for them is short: net.${ip === 'Ip' ? 'ipv4.ipfrag' : 'ipv6.ip6frag'}_high_thresh, and nstat ${ip}ReasmTimeout.`,
  // Stray fragments of a scan are not the clients' data: a failure needs numbers and a share.
  verdict: (net, delta) => (delta >= 10 && delta * 100 > (net.delta(`${ip}ReasmOKs`) ?? 0) ? fail : warn),
});

const RULES: readonly Rule[] = [
  reassembly('Ip'),
  reassembly('Ip6'),
  {
    counter: 'IpExtInNoRoutes',
    meaning: 'packets came in for which there is no route',
    advice:
      'Somebody sends traffic for other networks here: compare its routes with `ip route`; on a router a route is missing.',
    verdict: () => warn,
  },
  {
    counter: 'Ip6InNoRoutes',
    meaning: 'IPv6 packets came in for which there is no route',
    advice: 'Somebody sends traffic for other networks here: compare its routes with `ip -6 route`.',
    verdict: (net) => (hasGlobalIpv6(net.facts) ? warn : info),
  },
  {
    counter: 'IpOutNoRoutes',
    meaning: 'packets could not be sent for want of a route',
    advice: 'Find the destination (`ip route get ADDRESS`), and whether a default route was lost.',
    verdict: () => warn,
  },
  {
    counter: 'Ip6OutNoRoutes',
    meaning: 'IPv6 packets could not be sent for want of a route',
    advice: 'Find the destination (`ip -6 route get ADDRESS`), and whether a default route was lost.',
    // Programs that try IPv6 first do this all day on a host that has none.
    verdict: (net) => (hasGlobalIpv6(net.facts) ? warn : info),
  },
  {
    counter: 'TcpExtIPReversePathFilter',
    meaning: 'packets were dropped because their answer would leave by another interface (rp_filter)',
    advice:
      'With several uplinks: see the check multihoming. With one: spoofed or misrouted packets, which the filter is there for.',
    verdict: (net) => (addressed(net.facts).length > 1 ? warn : info),
  },
];

export const ipLevel = defineCheck({
  id: 'ip-level',
  title: 'Losses at the IP level',
  category: 'ip',
  scope: 'netns',
  priority: 62,
  page: {
    mechanism:
      'Below TCP and UDP packets get lost without either noticing: a datagram whose fragments do not all arrive is thrown away as a whole, a packet without a route is dropped, and reverse-path filtering drops what came in by the wrong interface.',
    reads:
      'IpReasmFails, IpOutNoRoutes in /proc/net/snmp; IpExtInNoRoutes, TcpExtIPReversePathFilter in /proc/net/netstat; Ip6ReasmFails, Ip6InNoRoutes, Ip6OutNoRoutes in /proc/net/snmp6; each twice.',
    threshold:
      'fail: 10 reassemblies and more failed within the window, and more than one per hundred that succeeded. warn: another counter, or fewer reassemblies. info: growth that has an ordinary cause (IPv6 counters on a host without a global IPv6 address, reverse-path drops on a host with one addressed interface), or since boot only.',
    why: 'Packets are lost on this host, below what the protocols count.',
    remedy: 'It depends on the counter; each finding says it.',
    risk: 'None to look; changing routes can cut the host off.',
    undo: 'Put the former route back.',
    needs: 'nothing',
    sources: [
      'https://docs.kernel.org/networking/snmp_counter.html (IpExtInNoRoutes, IpOutNoRoutes)',
      'https://docs.kernel.org/networking/ip-sysctl.html (ipfrag_high_thresh, ipfrag_time, rp_filter)',
      'RFC 8900 (IP fragmentation considered fragile)',
    ],
  },
  judge({ net }: NetContext): Finding[] {
    const known = RULES.filter((rule) => net.total(rule.counter) !== undefined);
    if (known.length === 0) return [unknown('the IP counters could not be read')];
    if (!net.first) return [needsWindow()];
    const moved = known.filter((rule) => (net.delta(rule.counter) ?? 0) > 0);
    if (moved.length > 0)
      return moved.map((rule) => {
        const delta = net.delta(rule.counter) ?? 0;
        const verdict = rule.verdict(net, delta);
        return verdict(`${delta} times within the window: ${rule.meaning}`, net.evidence(rule.counter), {
          weight: delta,
          remedy: { summary: rule.advice },
        });
      });
    const before = known.filter((rule) => (net.total(rule.counter) ?? 0) > 0);
    const evidence = (before.length > 0 ? before : known).flatMap((rule) => net.evidence(rule.counter));
    return before.length > 0
      ? [
          info(
            `none within the window; since boot: ${before.map((r) => `${net.total(r.counter)} ${r.counter}`).join(', ')}`,
            evidence,
          ),
        ]
      : [pass('no reassembly failed and no packet lacked a route', evidence)];
  },
});
