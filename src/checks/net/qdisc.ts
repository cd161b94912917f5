import type { Evidence } from '../../model/results.js';
import type { Link, LinkCounters } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, notApplicable, pass, warn } from '../findings.js';
import { growth, type NetView, type Pair } from '../view.js';

type Qdisc = LinkCounters['qdiscs'][number];

/** Drop on purpose, to keep the queue short or to hold a rate: drops are how they work. */
const MANAGED = new Set(['fq', 'fq_codel', 'codel', 'cake', 'fq_pie', 'pie', 'red', 'sfb', 'choke', 'gred', 'dualpi2']);
const SHAPERS = new Set(['tbf', 'htb', 'hfsc', 'cbq', 'netem', 'ets', 'drr', 'qfq']);
const PER_QUEUE = new Set(['mq', 'mqprio', 'taprio']);

export const qdisc = defineCheck({
  id: 'qdisc',
  title: 'Queueing disciplines',
  category: 'ip',
  scope: 'netns',
  priority: 55,
  thresholds: {
    share: { default: 1, unit: '%', description: 'Dropped packets, of those offered, that are a failure.' },
    managedShare: { default: 1, unit: '%', description: 'The same for disciplines that drop by design: a warning.' },
  },
  page: {
    mechanism:
      "Each packet that leaves an interface passes its queueing discipline. A FIFO drops when it is full; a shaper (tbf, htb) drops what exceeds its rate and its queue; fq_codel, cake and the like drop a little on purpose to keep delay low. net.core.default_qdisc is used when a device is made, so changing it leaves the devices that are there as they were. BBR paces its segments: fq does that in the qdisc, without fq TCP's own timers do, at more CPU time.",
    reads: 'Kind, handle and drops of each qdisc by rtnetlink, twice; net.core.default_qdisc (initial namespace only).',
    threshold:
      'fail: a qdisc dropped 1 % or more of its packets within the window. warn: it dropped fewer. For disciplines that drop by design: info, and warn from 1 %. info: a device still has the default of an earlier time, or BBR runs without fq.',
    why: 'Packets are lost before they leave this host.',
    remedy:
      'For a shaper: its rate or its queue is too small for what is sent; raise it if the link allows. For a FIFO: lengthen the queue of the device, or use fq or fq_codel, which share the queue between flows.',
    risk: 'Replacing a qdisc drops what it holds and restarts its statistics. A longer queue adds delay.',
    undo: 'tc qdisc replace dev <interface> root <former qdisc>',
    needs: 'nothing',
    sources: [
      'tc(8), tc-fq(8), tc-fq_codel(8), tc-tbf(8)',
      'https://docs.kernel.org/admin-guide/sysctl/net.html (default_qdisc)',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const up = new Map(net.facts.links.filter((l) => l.up).map((l) => [l.name, l]));
    const queued = net.links.filter((pair) => up.has(pair.last.name) && pair.last.qdiscs.some((q) => egress(q)));
    if (queued.length === 0) return [notApplicable('no interface with a queue')];
    const drops = queued.flatMap((pair) => dropFinding(context, pair));
    const others = [...mismatches(net, up), ...bbrWithoutFq(net, up)];
    if (drops.length + others.length > 0) return [...drops, ...others];
    const total = queued.reduce((sum, { last }) => sum + last.qdiscs.reduce((n, q) => n + q.drops, 0), 0);
    const evidence: Evidence[] = [
      { source: 'rtnetlink qdisc', key: 'drops', value: total, unit: 'packets', scope: 'total' },
    ];
    return [pass(`no drops${net.first ? ' within the window' : ' were compared (one reading)'}`, evidence)];
  },
});

const egress = (q: Qdisc): boolean => q.kind !== 'ingress' && q.kind !== 'clsact' && q.kind !== 'noqueue';

/** One finding per interface: the qdisc that dropped most; classful parents count what their children drop. */
function dropFinding({ threshold }: NetContext, { first, last }: Pair<LinkCounters>): Finding[] {
  const worst = last.qdiscs
    .filter(egress)
    .map((q) => {
      const before = first?.qdiscs.find((f) => f.handle === q.handle && f.parent === q.parent && f.kind === q.kind);
      return { q, drops: growth(before?.drops, q.drops) ?? 0, sent: growth(before?.packets, q.packets) ?? 0 };
    })
    .filter(({ drops }) => drops > 0)
    .toSorted((a, b) => b.drops - a.drops || Number(a.q.parent === 'root') - Number(b.q.parent === 'root'))[0];
  if (!worst) return [];
  const { q, drops, sent } = worst;
  const share = (100 * drops) / (drops + sent);
  const verdict = MANAGED.has(q.kind)
    ? share >= threshold('managedShare')
      ? warn
      : info
    : share >= threshold('share')
      ? fail
      : warn;
  const hint = SHAPERS.has(q.kind) ? ': its rate or its queue is too small for what is sent' : '';
  return [
    verdict(
      `${q.kind} of ${last.name} dropped ${drops} of ${drops + sent} packets (${share.toFixed(1)} %)${hint}`,
      [
        { source: 'rtnetlink qdisc', key: 'drops', value: drops, unit: 'packets', scope: 'window' },
        { source: 'rtnetlink qdisc', key: 'drops', value: q.drops, unit: 'packets', scope: 'total' },
        { source: 'rtnetlink qdisc', key: 'sent', value: sent, unit: 'packets', scope: 'window' },
        { source: 'rtnetlink qdisc', key: 'backlog', value: q.backlogPackets, unit: 'packets', scope: 'now' },
      ],
      {
        subject: { interface: last.name },
        weight: drops,
        remedy: {
          summary: SHAPERS.has(q.kind)
            ? `Raise the rate or the queue of ${q.kind} ${q.handle} on ${last.name}, if the link allows`
            : `Give ${last.name} a longer queue, or fq or fq_codel`,
          commands: [`tc -s qdisc show dev ${last.name}`],
        },
      },
    ),
  ];
}

/** Devices made before default_qdisc was changed. Handle 0: tells that nobody chose the qdisc by hand. */
function mismatches(net: NetView, up: Map<string, Link>): Finding[] {
  const wanted = net.sysctl('net.core.default_qdisc');
  if (wanted === undefined) return [];
  return net.last.links.flatMap((link) => {
    const stale = link.qdiscs.find(
      (q) => up.has(link.name) && egress(q) && q.handle === '0:' && q.kind !== wanted && !PER_QUEUE.has(q.kind),
    );
    // A device made with a queue too short for the default gets noqueue or pfifo: only a known default is judged.
    if (!stale || !['pfifo_fast', 'fq_codel', 'fq', 'sfq'].includes(stale.kind)) return [];
    return [
      info(
        `${link.name} still queues with ${stale.kind}: it was made before net.core.default_qdisc became ${wanted}`,
        [
          { source: 'rtnetlink qdisc', key: 'kind', value: stale.kind, unit: '', scope: 'now' },
          net.sysctlEvidence('net.core.default_qdisc'),
        ],
        {
          subject: { interface: link.name },
          why: 'The setting affects only devices made after it was set.',
          remedy: {
            summary: `Give ${link.name} the default`,
            commands: [`tc qdisc replace dev ${link.name} root ${wanted}`],
            undo: `tc qdisc replace dev ${link.name} root ${stale.kind}`,
          },
        },
      ),
    ];
  });
}

function bbrWithoutFq(net: NetView, up: Map<string, Link>): Finding[] {
  if (net.sysctl('net.ipv4.tcp_congestion_control') !== 'bbr') return [];
  const without = net.last.links.filter((link) => {
    const own = link.qdiscs.filter((q) => egress(q) && !PER_QUEUE.has(q.kind));
    return up.has(link.name) && isDevice(up.get(link.name)) && own.length > 0 && !own.some((q) => q.kind === 'fq');
  });
  if (without.length === 0) return [];
  const names = without.map((l) => l.name).join(', ');
  return [
    info(
      `BBR runs without fq on ${names}: TCP's own timers pace instead`,
      [
        net.sysctlEvidence('net.ipv4.tcp_congestion_control'),
        ...without.flatMap((link): Evidence[] =>
          link.qdiscs
            .filter(egress)
            .slice(0, 1)
            .map((q) => ({
              source: 'rtnetlink qdisc',
              key: 'kind',
              value: q.kind,
              unit: '',
              scope: 'now',
              subject: { interface: link.name },
            })),
        ),
      ],
      {
        ...(without.length === 1 ? { subject: { interface: names } } : {}),
        why: 'Pacing works either way since Linux 4.13; fq does it with one timer per queue instead of one per connection, at less CPU time.',
        remedy: {
          summary: 'Use fq where the kernel has it (module sch_fq)',
          commands: without.map((l) => `tc qdisc replace dev ${l.name} root fq`),
          undo: without
            .map(
              (l) =>
                `tc qdisc replace dev ${l.name} root ${l.qdiscs.find((q) => q.parent === 'root')?.kind ?? 'pfifo_fast'}`,
            )
            .join('; '),
        },
      },
    ),
  ];
}

/** A device with a queue of its own, not a virtual one stacked on it. */
const isDevice = (link: Link | undefined): boolean =>
  link !== undefined && link.kind === undefined && link.type !== 'loopback';
