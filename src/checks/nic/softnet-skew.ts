import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, needsWindow, notApplicable, pass, unknown, warn } from '../findings.js';
import { cpuLoads, loadEvidence } from './load.js';
import { SOFTNET, softnetRows } from './softnet.js';

export const softnetSkew = defineCheck({
  id: 'softnet-skew',
  title: 'Receive work on one CPU',
  category: 'nic',
  scope: 'host',
  priority: 50,
  thresholds: {
    packetsPerSecond: { default: 20_000, unit: 'packets/s', description: 'Below this the whole host is not judged.' },
    ratio: { default: 4, unit: '1', description: 'How many times the next busiest CPU one CPU must process.' },
    hotPercent: {
      default: 60,
      unit: '%',
      description: "Share of the CPU's time in interrupts from which the skew costs something.",
    },
  },
  page: {
    mechanism:
      'Packets are processed on the CPU that took the interrupt of their queue, or that RPS chose. With one queue, interrupts on one CPU, or a hash that sees one flow, a single CPU does the work of all.',
    reads:
      'Column 1 of /proc/net/softnet_stat, twice, per CPU (column 13); time in irq and softirq per CPU from /proc/stat.',
    threshold:
      'Judged from 20,000 packets a second for the host. A CPU that processes at least half of them and 4 times as many as the next: warn when it spends 60 % of its time in interrupts, else info.',
    why: 'That CPU is the limit of the whole host while the others idle.',
    remedy:
      'More queues (channels), interrupts spread over CPUs (irq-affinity), or RPS where there are too few queues. When it is one flow, none of these divides it; flow limit protects the other flows from it.',
    risk: 'More interrupts and inter-processor interrupts; reordering within a flow for a moment when it moves.',
    undo: 'Set channels, affinity or rps_cpus back.',
    needs: 'nothing',
    sources: ['https://docs.kernel.org/networking/scaling.html'],
  },
  judge({ host, threshold }: HostContext): Finding[] {
    const rows = softnetRows(host);
    if (rows.length === 0) return [unknown(`${SOFTNET} could not be read`)];
    const { windowMs } = host;
    if (!windowMs) return [needsWindow()];
    if (rows.length < 2) return [notApplicable('one CPU: nothing to spread over')];
    const work = rows
      .map((row) => ({ row, packets: row.delta('processed') ?? 0 }))
      .toSorted((a, b) => b.packets - a.packets);
    const total = work.reduce((sum, { packets }) => sum + packets, 0);
    const [busiest, next] = work as [(typeof work)[0], (typeof work)[0]];
    const perSecond = Math.round((total * 1000) / windowMs);
    const share = total === 0 ? 0 : Math.round((100 * busiest.packets) / total);
    const evidence = [...busiest.row.evidence('processed'), ...next.row.evidence('processed')];
    if (perSecond < threshold('packetsPerSecond'))
      return [pass(`${perSecond} packets a second: too few for skew to matter`, evidence)];
    if (share < 50 || busiest.packets < threshold('ratio') * next.packets)
      return [
        pass(`the busiest CPU (${busiest.row.cpu}) processes ${share} % of ${perSecond} packets a second`, evidence),
      ];
    const load = cpuLoads(host).find(({ cpu }) => cpu === busiest.row.cpu);
    const hot = load !== undefined && load.softirqPercent >= threshold('hotPercent');
    return [
      (hot ? warn : info)(
        `CPU ${busiest.row.cpu} processes ${share} % of ${perSecond} packets a second${load ? ` and spends ${Math.round(load.softirqPercent)} % of its time in interrupts` : ''}`,
        [...evidence, ...(load ? [loadEvidence(load)] : [])],
        { subject: { cpu: busiest.row.cpu }, weight: share },
      ),
    ];
  },
});
