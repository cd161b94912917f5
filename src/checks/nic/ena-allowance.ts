import type { Evidence } from '../../model/results.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, needsWindow, pass, warn } from '../findings.js';
import { growth } from '../view.js';
import { linksOf, type Nic, nothingToJudge } from './nics.js';

/** What each allowance limits, and whether packets over it are surely lost ("dropped") or may only wait ("queued or dropped"). */
const ALLOWANCES: Record<string, { limit: string; lost: boolean }> = {
  bw_in_allowance_exceeded: { limit: 'inbound bandwidth of the instance', lost: false },
  bw_out_allowance_exceeded: { limit: 'outbound bandwidth of the instance', lost: false },
  pps_allowance_exceeded: { limit: 'packets per second of the instance', lost: false },
  conntrack_allowance_exceeded: { limit: 'tracked connections of the instance', lost: true },
  linklocal_allowance_exceeded: { limit: 'packets per second to DNS, metadata and time services', lost: true },
};

export const enaAllowance = defineCheck({
  id: 'ena-allowance',
  title: 'Network allowances of the cloud instance',
  category: 'nic',
  scope: 'netns',
  priority: 82,
  page: {
    mechanism:
      'The hypervisor limits what an instance may send and receive: bandwidth, packets per second, tracked connections, packets to its link-local services. What is over a limit waits or is dropped outside of the instance, where no counter of the kernel sees it; the driver passes the count on.',
    reads:
      'The *_allowance_exceeded counters of the ena driver (ethtool -S), twice: bw_in, bw_out, pps, conntrack, linklocal.',
    threshold:
      'fail: conntrack or linklocal grew within the window (packets over these are dropped). warn: bandwidth or packets per second grew (queued or dropped). info: above zero since boot.',
    why: 'Packets are delayed or dropped by the hypervisor, and nothing inside the instance can make up for it.',
    remedy:
      'A larger or newer instance type; fewer, longer connections for conntrack (security group rules that need no tracking); a caching resolver for linklocal; a current driver.',
    risk: 'None of these settings is of this host.',
    undo: 'Not applicable.',
    needs: 'another instance type, or a change of the application',
    sources: [
      'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-network-performance-ena.html',
      'ENA Linux driver best practices: https://github.com/amzn/amzn-drivers/blob/master/kernel/linux/ena/ENA_Linux_Best_Practices.rst',
    ],
  },
  judge({ net }: NetContext): Finding[] {
    const nics = linksOf(net).filter(({ last }) =>
      Object.keys(ALLOWANCES).some((key) => last?.driver?.[key] !== undefined),
    );
    if (nics.length === 0) return [nothingToJudge(net, 'no interface here counts allowances (ena driver)')];
    if (!net.first) return [needsWindow()];
    return nics.flatMap(judgeNic);
  },
});

function judgeNic({ link, first, last }: Nic): Finding[] {
  const subject = { interface: link.name };
  const rows = Object.entries(ALLOWANCES).flatMap(([key, allowance]) => {
    const total = last?.driver?.[key];
    if (total === undefined) return [];
    const delta = growth(first?.driver?.[key], total) ?? 0;
    const base = { source: 'ethtool -S', key, unit: 'packets', subject };
    const evidence: Evidence[] = [
      { ...base, value: delta, scope: 'window' },
      { ...base, value: total, scope: 'total' },
    ];
    return [{ key, ...allowance, total, delta, evidence }];
  });
  const moved = rows.filter(({ delta }) => delta > 0);
  if (moved.length > 0)
    return moved.map(({ key, limit, lost, delta, evidence }) =>
      (lost ? fail : warn)(
        `${link.name}: ${delta} packets over the ${limit} were ${lost ? 'dropped' : 'queued or dropped'} (${key})`,
        evidence,
        { subject, weight: delta },
      ),
    );
  const since = rows.filter(({ total }) => total > 0);
  if (since.length === 0)
    return [
      pass(
        `${link.name} stayed within its allowances since boot`,
        rows.flatMap(({ evidence }) => evidence),
        { subject },
      ),
    ];
  return [
    info(
      `${link.name} exceeded allowances since boot, not within the window: ${since.map(({ key, total }) => `${key} ${total}`).join(', ')}`,
      since.flatMap(({ evidence }) => evidence),
      { subject },
    ),
  ];
}
