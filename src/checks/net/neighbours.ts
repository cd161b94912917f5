import type { Evidence } from '../../model/results.js';
import type { NeighbourTable } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, notApplicable, pass, warn } from '../findings.js';
import { growth, type NetView } from '../view.js';

export const neighbours = defineCheck({
  id: 'neighbours',
  title: 'Neighbour tables',
  category: 'ip',
  scope: 'netns',
  priority: 88,
  thresholds: {
    warn: { default: 80, unit: '%', description: 'Entries against gc_thresh3 that are a warning.' },
    fail: { default: 95, unit: '%', description: 'Entries against gc_thresh3 that are a failure.' },
  },
  page: {
    mechanism:
      'Each address on a directly connected network that this host talks to has an entry in the neighbour table (ARP, or NDP for IPv6). All namespaces share one table per family. Beyond gc_thresh2 entries older than five seconds are collected; at gc_thresh3 a new one is refused ("neighbour table overflow") and the packet is lost. Permanent and externally learned entries are not counted against these limits, though the table shows them in its number of entries.',
    reads:
      'Entries, table_fulls and forced_gc_runs in /proc/net/stat/arp_cache and ndisc_cache, twice; net.ipv4 and net.ipv6 neigh.default.gc_thresh3 (initial namespace only).',
    threshold:
      'fail: table_fulls grew within the window, or the table is 95 % full while collecting by force. warn: it is more than 80 % full and has collected by force since boot. info: as full, but never collected by force, so that most entries must be of a kind that does not count; or table_fulls above zero since boot.',
    why: 'Packets to hosts whose address is not yet known are lost, so new connections to them fail.',
    remedy: 'Raise gc_thresh3, and gc_thresh2 and gc_thresh1 with it. A network of that size is also worth splitting.',
    risk: 'Some hundred bytes of kernel memory per entry.',
    undo: 'sysctl -w net.ipv4.neigh.default.gc_thresh3=<former value>',
    needs: 'nothing; the keys are in the initial network namespace and hold for all',
    tune: { keys: ['net.*.neigh.default.gc_thresh*'] },
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (neigh/default/gc_thresh1, gc_thresh2, gc_thresh3)',
      'arp(7)',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net, snapshot } = context;
    if (net.last.neighbours.length === 0) return [notApplicable('no neighbour table could be read')];
    // One table for all namespaces: judged once, where its limits are visible.
    if (net.facts.initial !== true && snapshot.netns.some((n) => n.initial === true))
      return [notApplicable('the table is shared with the initial namespace, and judged there')];
    const bad = net.last.neighbours.flatMap((table) => tableFinding(context, table));
    if (bad.length > 0) return bad;
    return [
      pass(
        net.last.neighbours
          .map((t) => `${label(t)}: ${t.entries}${t.threshold3 ? ` of ${t.threshold3}` : ''}`)
          .join(', '),
        net.last.neighbours.flatMap((t) => evidenceOf(net, t)),
      ),
    ];
  },
});

const label = (table: NeighbourTable): string => (table.family === 'inet' ? 'IPv4' : 'IPv6');
const delta = (net: NetView, table: NeighbourTable, key: string): number =>
  growth(net.first?.neighbours.find((t) => t.family === table.family)?.statistics[key], table.statistics[key]) ?? 0;

function tableFinding({ net, threshold }: NetContext, table: NeighbourTable): Finding[] {
  const evidence = evidenceOf(net, table);
  const refused = delta(net, table, 'table_fulls');
  const { threshold3 } = table;
  const fill = `${label(table)}: ${table.entries}${threshold3 === undefined ? '' : ` of ${threshold3}`} entries`;
  const extra = { ...raise(net, table), weight: refused };
  if (refused > 0)
    return [
      fail(`${fill}; ${refused} new neighbours were refused within the window: the table is full`, evidence, extra),
    ];
  const used = threshold3 === undefined ? 0 : (100 * table.entries) / threshold3;
  const text = `${fill} (${used.toFixed(0)} %)`;
  if (used >= threshold('fail') && delta(net, table, 'forced_gc_runs') > 0)
    return [fail(`${text}, and entries are collected by force`, evidence, extra)];
  if (used > threshold('warn'))
    return (table.statistics.forced_gc_runs ?? 0) > 0
      ? [warn(`the table fills up: ${text}`, evidence, extra)]
      : [info(`${text}; none was ever collected by force, so most do not count against the limit`, evidence)];
  const before = table.statistics.table_fulls ?? 0;
  return before > 0 ? [info(`${fill}; ${before} were refused since boot, none within the window`, evidence)] : [];
}

function evidenceOf(net: NetView, table: NeighbourTable): Evidence[] {
  const source = `/proc/net/stat/${table.family === 'inet' ? 'arp_cache' : 'ndisc_cache'}`;
  const key = thresholdKey(table, 3);
  const statistics = ['table_fulls', 'forced_gc_runs'].flatMap((name): Evidence[] => {
    const total = table.statistics[name];
    if (total === undefined) return [];
    return [
      ...(net.first
        ? [{ source, key: name, value: delta(net, table, name), unit: '1', scope: 'window' as const }]
        : []),
      { source, key: name, value: total, unit: '1', scope: 'total' },
    ];
  });
  return [
    { source, key: 'entries', value: table.entries, unit: 'entries', scope: 'now' },
    ...(table.threshold3 === undefined
      ? []
      : [
          {
            source: `/proc/sys/${key.replaceAll('.', '/')}`,
            key,
            value: table.threshold3,
            unit: 'entries',
            scope: 'now' as const,
          },
        ]),
    ...statistics,
  ];
}

const thresholdKey = (table: NeighbourTable, level: 1 | 2 | 3): string =>
  `net.${table.family === 'inet' ? 'ipv4' : 'ipv6'}.neigh.default.gc_thresh${level}`;

function raise(net: NetView, table: NeighbourTable): Pick<Finding, 'remedy' | 'subject'> {
  const from = table.threshold3;
  if (from === undefined) return {};
  const levels = ([3, 2, 1] as const).flatMap((level) => {
    const key = thresholdKey(table, level);
    const now = level === 3 ? from : net.sysctlNumber(key);
    return now === undefined ? [] : [{ key, from: String(now), to: String(4 * now) }];
  });
  return {
    subject: { key: thresholdKey(table, 3) },
    remedy: {
      summary: `Raise the limits of the ${label(table)} neighbour table`,
      commands: levels.map(({ key, to }) => `sysctl -w ${key}=${to}`),
      tunes: levels,
      undo: levels.map(({ key, from: old }) => `sysctl -w ${key}=${old}`).join('; '),
    },
  };
}
