import { defineCheck, type Finding, type HostContext } from '../check.js';
import { needsWindow, pass, unknown, warn } from '../findings.js';
import { hostSysctlEvidence, raise } from './host-sysctl.js';
import { SOFTNET, softnetRows, sumOf } from './softnet.js';

const BUDGET = 'net.core.netdev_budget';
const USECS = 'net.core.netdev_budget_usecs';
/** Fewer than this within a window is a burst, whatever the rate. */
const MIN_COUNT = 25;

export const softnetSqueezed = defineCheck({
  id: 'softnet-squeezed',
  title: 'Receive softirq runs out of its budget',
  category: 'nic',
  scope: 'host',
  priority: 45,
  thresholds: {
    perSecond: {
      default: 50,
      unit: 'times per second and CPU',
      description: 'From here on running out of budget counts as sustained.',
    },
  },
  page: {
    mechanism:
      'The receive softirq of a CPU stops after net.core.netdev_budget packets or net.core.netdev_budget_usecs microseconds, even when packets are left, and counts that as a squeeze. The rest waits for its next turn, which under load is that of the ksoftirqd thread and competes with programs.',
    reads: 'Column 3 of /proc/net/softnet_stat, twice, per CPU (column 13).',
    threshold:
      'warn: a CPU was squeezed at least 50 times a second (threshold perSecond) over the window. A few squeezes are how the kernel shares a CPU and pass.',
    why: 'Packets wait for a second turn of the softirq although they have arrived; the rings fill up meanwhile.',
    remedy:
      'Spread the load over more CPUs first (channels, RPS, interrupt affinity). A larger budget lets one CPU take more at a time.',
    risk: 'Programs on that CPU wait longer while the softirq runs.',
    undo: 'Set both keys back (defaults: netdev_budget 300; netdev_budget_usecs is two clock ticks, 2000 to 20000).',
    needs: 'nothing',
    tune: { keys: ['net.core.netdev_budget', 'net.core.netdev_budget_usecs'] },
    sources: ['https://docs.kernel.org/admin-guide/sysctl/net.html (netdev_budget, netdev_budget_usecs)'],
  },
  judge({ host, snapshot, threshold }: HostContext): Finding[] {
    const rows = softnetRows(host);
    if (rows.length === 0) return [unknown(`${SOFTNET} could not be read`)];
    const { windowMs } = host;
    if (!windowMs) return [needsWindow()];
    const perSecond = (count: number) => (count * 1000) / windowMs;
    const findings = rows.flatMap((row) => {
      const squeezed = row.delta('squeezed') ?? 0;
      const rate = perSecond(squeezed);
      if (squeezed < MIN_COUNT || rate < threshold('perSecond')) return [];
      return [
        warn(
          `CPU ${row.cpu} ran out of its receive budget ${Math.round(rate)} times a second`,
          [
            ...row.evidence('squeezed'),
            ...row.evidence('processed'),
            ...hostSysctlEvidence(snapshot, BUDGET),
            ...hostSysctlEvidence(snapshot, USECS),
          ],
          {
            subject: { cpu: row.cpu },
            weight: squeezed,
            remedy: {
              summary: 'Spread receive work over more CPUs, or raise the budget of a turn',
              ...raise(snapshot, { [BUDGET]: (now) => now * 2, [USECS]: (now) => now * 2 }),
            },
          },
        ),
      ];
    });
    if (findings.length > 0) return findings;
    const total = sumOf(rows, (row) => row.delta('squeezed'));
    return [
      pass(
        total === 0
          ? 'no CPU ran out of its receive budget within the window'
          : `CPUs ran out of their receive budget ${total} times within the window, not sustained`,
        rows.flatMap((row) => ((row.total('squeezed') ?? 0) > 0 ? row.evidence('squeezed') : [])).slice(0, 16),
      ),
    ];
  },
});
