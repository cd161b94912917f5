import type { Evidence } from '../../model/results.js';
import type { DropCount } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, needsWindow, pass, unknown, warn } from '../findings.js';
import { UNEXPECTED } from './drop-reason-table.js';

const SOURCE = 'tracepoint skb:kfree_skb';

export const dropReasons = defineCheck({
  id: 'drop-reasons',
  title: 'Packets dropped, by reason',
  category: 'ip',
  scope: 'host',
  priority: 58,
  thresholds: {
    packets: {
      default: 3,
      unit: 'packets',
      description: 'Drops for one reason within the window, below which it is noise.',
    },
  },
  page: {
    mechanism:
      'Wherever the kernel throws a packet away it names a reason (since Linux 5.17, more with each release). Many are the daily life of a network: a segment for a closed port, an old duplicate, a packet that a firewall rule rejects. Others mean that something is full, damaged or misrouted, and no counter of a protocol may tell.',
    reads:
      'The tracepoint skb:kfree_skb, counted by reason and by place in the kernel with BPF, over the window (needs CAP_BPF and CAP_PERFMON, or root).',
    threshold:
      'warn: at least 3 packets within the window were dropped for a reason that is not part of normal work: something full (SOCKET_RCVBUFF, SOCKET_BACKLOG, PROTO_MEM, CPU_BACKLOG, FULL_RING, TCP_LISTEN_OVERFLOW, QDISC_*, NOMEM), damaged (*_CSUM, IP_INHDR), misrouted (IP_RPFILTER, IP_INNOROUTES, IP_OUTNOROUTES) or unreachable (NEIGH_*). Expected reasons are shown as evidence of a pass. Counts are of the whole host, not of one namespace.',
    why: 'Packets are lost on this host for a reason that normal work does not have.',
    remedy: 'It depends on the reason; each is explained in its finding, with the check that looks deeper.',
    risk: 'None: nothing is changed.',
    undo: 'Nothing was changed.',
    needs: 'nothing',
    sources: [
      'Linux include/net/dropreason-core.h (each reason is explained there)',
      'https://docs.kernel.org/trace/tracepoints.html',
    ],
  },
  judge({ snapshot, threshold, host }: HostContext): Finding[] {
    if (host.windowMs === undefined) return [needsWindow()];
    const { drops } = snapshot.observed;
    if (!drops) return [unobserved(snapshot.gaps)];
    const reasons = byReason(drops);
    const bad = [...reasons].filter(([reason, rows]) => UNEXPECTED[reason] && count(rows) >= threshold('packets'));
    if (bad.length > 0) return bad.map(([reason, rows]) => unexpected(reason, rows));
    const evidence = [...reasons].slice(0, 20).map(([reason, rows]) => evidenceOf(reason, count(rows)));
    const total = drops.reduce((sum, drop) => sum + drop.count, 0);
    return [
      pass(
        total === 0
          ? 'no packet was dropped within the window'
          : `${total} packets were dropped within the window, all for reasons of normal work`,
        evidence,
      ),
    ];
  },
});

const count = (rows: readonly DropCount[]): number => rows.reduce((sum, row) => sum + row.count, 0);

function byReason(drops: readonly DropCount[]): Map<string, DropCount[]> {
  const groups = new Map<string, DropCount[]>();
  for (const drop of drops) groups.set(drop.reason, [...(groups.get(drop.reason) ?? []), drop]);
  return new Map([...groups].toSorted((a, b) => count(b[1]) - count(a[1])));
}

const evidenceOf = (reason: string, value: number): Evidence => ({
  source: SOURCE,
  key: reason,
  value,
  unit: 'packets',
  scope: 'window',
});

function unexpected(reason: string, rows: readonly DropCount[]): Finding {
  const known = UNEXPECTED[reason];
  const total = count(rows);
  const places = rows
    .filter((row) => row.place !== undefined)
    .toSorted((a, b) => b.count - a.count)
    .slice(0, 3);
  const where = places.length > 0 ? ` in ${places.map((row) => row.place).join(', ')}` : '';
  return (known?.mild ? info : warn)(
    `${total} packets dropped within the window: ${known?.meaning} (${reason}${where})`,
    [evidenceOf(reason, total), ...places.map((row) => evidenceOf(`${reason} in ${row.place}`, row.count))],
    {
      weight: total,
      ...(known?.advice ? { remedy: { summary: known.advice } } : {}),
    },
  );
}

function unobserved(
  gaps: readonly { probe: string; what: string; reason: string; needs?: string | undefined }[],
): Finding {
  const gap = gaps.find((g) => /drop|kfree_skb/.test(`${g.probe} ${g.what}`));
  const why = gap ? `: ${gap.reason}${gap.needs ? ` (needs ${gap.needs})` : ''}` : ' (needs CAP_BPF and CAP_PERFMON)';
  return unknown(`drops were not observed${why}`);
}
