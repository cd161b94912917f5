import { defineCheck, type Finding, type HostContext } from '../check.js';
import { fail, info, needsWindow, pass, unknown } from '../findings.js';
import { hostSysctlEvidence, raise } from './host-sysctl.js';
import { SOFTNET, type SoftnetRow, softnetRows, sumOf } from './softnet.js';

const BACKLOG = 'net.core.netdev_max_backlog';

export const softnetDropped = defineCheck({
  id: 'softnet-dropped',
  title: "Packets dropped at a CPU's input queue",
  category: 'nic',
  scope: 'host',
  priority: 85,
  page: {
    mechanism:
      "Packets that are not taken straight from a driver's ring (loopback, veth, tunnels, and everything that RPS or RFS moves to another CPU) wait in the input queue of a CPU until its softirq gets to them. When that queue holds net.core.netdev_max_backlog packets, further ones are dropped; with flow limit on, packets of the largest flow are dropped from half of that on.",
    reads:
      'Column 2 of /proc/net/softnet_stat, twice, per CPU. The CPU is column 13: lines of offline CPUs are missing, so the line number is not the CPU.',
    threshold: 'fail: a CPU dropped within the window. info: drops since boot, none within the window.',
    why: 'These packets had arrived. Their senders learn of it by a retransmission timeout or, with UDP, never.',
    remedy:
      'See first why the CPU does not keep up: one flow, a CPU shared with a busy program, RPS to too few CPUs. A longer queue rides out bursts.',
    risk: 'A longer queue adds delay under overload; up to netdev_max_backlog packets of memory per CPU.',
    undo: "Set net.core.netdev_max_backlog back (the kernel's default is 1000).",
    needs: 'nothing',
    tune: { keys: ['net.core.netdev_max_backlog'] },
    sources: [
      'https://docs.kernel.org/admin-guide/sysctl/net.html (netdev_max_backlog)',
      'https://docs.kernel.org/networking/scaling.html (RPS Flow Limit)',
    ],
  },
  judge({ host, snapshot }: HostContext): Finding[] {
    const rows = softnetRows(host);
    if (rows.length === 0) return [unknown(`${SOFTNET} could not be read`)];
    if (!host.first) return [needsWindow()];
    const hit = rows.filter((row) => (row.delta('dropped') ?? 0) > 0);
    if (hit.length > 0) return hit.map((row) => dropping(row, { host, snapshot }));
    const since = rows.filter((row) => (row.total('dropped') ?? 0) > 0);
    if (since.length === 0)
      return [pass(`no packet was dropped at the input queue of ${rows.length} CPUs since boot`, totals(rows))];
    const total = sumOf(since, (row) => row.total('dropped'));
    return [
      info(
        `${total} packets were dropped at input queues since boot (${cpus(since)}), none within the window`,
        since.flatMap((row) => row.evidence('dropped')),
      ),
    ];
  },
});

const cpus = (rows: readonly SoftnetRow[]) => `CPU ${rows.map((row) => row.cpu).join(', ')}`;

const totals = (rows: readonly SoftnetRow[]) => [
  { source: SOFTNET, key: 'dropped', value: 0, unit: 'packets', scope: 'total' as const },
  {
    source: SOFTNET,
    key: 'processed',
    value: sumOf(rows, (row) => row.total('processed')),
    unit: 'packets',
    scope: 'total' as const,
  },
];

function dropping(row: SoftnetRow, { host, snapshot }: Pick<HostContext, 'host' | 'snapshot'>): Finding {
  const dropped = row.delta('dropped') ?? 0;
  const limited = row.delta('flowLimit') ?? 0;
  const seconds = ((host.windowMs ?? 0) / 1000).toFixed(1);
  const byFlow = limited >= dropped ? ', all of them by the flow limit: one flow floods this CPU' : '';
  return fail(
    `CPU ${row.cpu} dropped ${dropped} packets at its input queue within ${seconds} s${byFlow}`,
    [
      ...row.evidence('dropped'),
      ...row.evidence('processed'),
      ...(limited > 0 ? row.evidence('flowLimit') : []),
      ...hostSysctlEvidence(snapshot, BACKLOG),
    ],
    {
      subject: { cpu: row.cpu },
      weight: dropped,
      remedy: byFlow
        ? { summary: 'Find the flow that floods this CPU; the flow limit protects the others and works as intended' }
        : {
            summary: 'Take load off this CPU (RSS, RPS, affinity of programs); a longer input queue rides out bursts',
            ...raise(snapshot, { [BACKLOG]: (now) => Math.max(2000, now * 2) }),
          },
    },
  );
}
