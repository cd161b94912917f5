import type { Evidence } from '../../model/results.js';
import type { Conntrack } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, notApplicable, pass, warn } from '../findings.js';
import { growth } from '../view.js';

const MAX = 'net.netfilter.nf_conntrack_max';
const BUCKETS = 'net.netfilter.nf_conntrack_buckets';
/** struct nf_conn with its extensions, rounded up. */
const BYTES_PER_ENTRY = 400;

const LOSSES: Readonly<Record<string, string>> = {
  drop: 'packets were dropped because no entry could be made',
  early_drop: 'live entries were thrown out to make room',
};

export const conntrack = defineCheck({
  id: 'conntrack',
  title: 'Connection tracking table',
  category: 'ip',
  scope: 'netns',
  priority: 92,
  thresholds: {
    warn: { default: 80, unit: '%', description: 'Use of the table that is a warning.' },
    fail: { default: 95, unit: '%', description: 'Use of the table that is a failure.' },
  },
  page: {
    mechanism:
      'With stateful firewall rules or NAT each flow has an entry in the connection tracking table. When a namespace holds nf_conntrack_max entries, the kernel first tries to throw out entries that never saw a reply (early_drop), then drops the packet: new connections fail while old ones work. An idle established connection keeps its entry for five days by default.',
    reads:
      'nf_conntrack_count and nf_conntrack_max below /proc/sys/net/netfilter; drop, early_drop and insert_failed of /proc/net/stat/nf_conntrack, twice.',
    threshold:
      'warn: the table is more than 80 % full. fail: 95 % and more, or drop or early_drop grew within the window. info: they are above zero since boot. insert_failed alone (two packets that made the same entry at once) is shown, not judged.',
    why: 'When the table is full new connections through this host are dropped without an answer.',
    remedy:
      'Raise nf_conntrack_max and the buckets with it; keep flows that need no state out of it (NOTRACK); shorten nf_conntrack_tcp_timeout_established from its five days when the table is full of forgotten connections (conntrack -L shows them).',
    risk: 'About 400 bytes of kernel memory per entry. Shorter timeouts break connections that are silent for longer.',
    undo: `sysctl -w ${MAX}=<former value> ${BUCKETS}=<former value>`,
    needs: 'nothing; both keys can only be written in the initial network namespace',
    tune: { keys: ['net.netfilter.nf_conntrack_max', 'net.netfilter.nf_conntrack_buckets'] },
    sources: ['https://docs.kernel.org/networking/nf_conntrack-sysctl.html (nf_conntrack_max, nf_conntrack_buckets)'],
  },
  judge(context: NetContext): Finding[] {
    const { net, threshold } = context;
    const table = net.last.conntrack;
    if (!table) return [notApplicable('connection tracking is not in use here')];
    const used = (100 * table.count) / table.max;
    const evidence: Evidence[] = [
      {
        source: '/proc/sys/net/netfilter/nf_conntrack_count',
        key: 'count',
        value: table.count,
        unit: 'entries',
        scope: 'now',
      },
      {
        source: '/proc/sys/net/netfilter/nf_conntrack_max',
        key: 'max',
        value: table.max,
        unit: 'entries',
        scope: 'now',
      },
      ...statistics(net.first?.conntrack, table),
    ];
    const fill = `${table.count} of ${table.max} entries (${used.toFixed(0)} %)`;
    const lost = Object.keys(LOSSES).filter((key) => lossOf(net.first?.conntrack, table, key) > 0);
    if (lost.length > 0)
      return [
        fail(
          `${lost.map((key) => `${lossOf(net.first?.conntrack, table, key)} ${LOSSES[key]}`).join('; ')}; ${fill}`,
          evidence,
          { ...raise(context, table), weight: table.count },
        ),
      ];
    if (used >= threshold('fail')) return [fail(`the table is nearly full: ${fill}`, evidence, raise(context, table))];
    if (used > threshold('warn')) return [warn(`the table fills up: ${fill}`, evidence, raise(context, table))];
    const before = Object.keys(LOSSES).filter((key) => (table.statistics[key] ?? 0) > 0);
    if (before.length > 0)
      return [
        info(
          `${fill}; since boot ${before.map((key) => `${table.statistics[key]} ${LOSSES[key]}`).join('; ')}`,
          evidence,
        ),
      ];
    return [pass(fill, evidence)];
  },
});

const lossOf = (first: Conntrack | undefined, last: Conntrack, key: string): number =>
  growth(first?.statistics[key], last.statistics[key]) ?? 0;

function statistics(first: Conntrack | undefined, last: Conntrack): Evidence[] {
  const source = '/proc/net/stat/nf_conntrack';
  return [...Object.keys(LOSSES), 'insert_failed'].flatMap((key): Evidence[] => {
    const total = last.statistics[key];
    const delta = growth(first?.statistics[key], total);
    return [
      ...(delta === undefined ? [] : [{ source, key, value: delta, unit: '1', scope: 'window' as const }]),
      ...(total === undefined ? [] : [{ source, key, value: total, unit: '1', scope: 'total' as const }]),
    ];
  });
}

function raise({ net }: NetContext, { max }: Conntrack): Pick<Finding, 'remedy' | 'subject'> {
  const buckets = net.sysctlNumber(BUCKETS);
  const to = 2 * max;
  const grow = buckets !== undefined && buckets < to;
  const mebibytes = Math.ceil((max * BYTES_PER_ENTRY) / 2 ** 20);
  return {
    subject: { key: MAX },
    remedy: {
      summary: `Double the table${net.facts.initial === true ? '' : ' (in the initial network namespace; the limit holds for each namespace)'}`,
      commands: [`sysctl -w ${MAX}=${to}`, ...(grow ? [`sysctl -w ${BUCKETS}=${to}`] : [])],
      tunes: [
        { key: MAX, from: String(max), to: String(to) },
        ...(grow ? [{ key: BUCKETS, from: String(buckets), to: String(to) }] : []),
      ],
      risk: `Up to ${mebibytes} MiB more kernel memory when the table is full.`,
      undo: `sysctl -w ${MAX}=${max}${grow ? ` ${BUCKETS}=${buckets}` : ''}`,
    },
  };
}
