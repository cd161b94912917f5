import type { Evidence } from '../../model/results.js';
import type { Cgroup } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, needsWindow, notApplicable, pass, unknown, warn } from '../findings.js';
import { growth, type Pair } from '../view.js';
import { cgroupPairs, cgroupProcesses, cgroupSource, cgroupSubject } from './cgroups.js';
import { percent, round } from './numbers.js';
import { listed, named } from './subjects.js';

export const throttling = defineCheck({
  id: 'throttling',
  title: 'CPU quota',
  category: 'cpu',
  scope: 'host',
  priority: 65,
  page: {
    mechanism:
      'A cgroup with a CPU quota may use so many microseconds of CPU per period (100 ms by default). When its threads have used them up, none of them runs until the next period begins, even if CPUs idle: a server goes silent for tens of milliseconds at a time. Many threads use a quota up quickly: four busy threads spend a quota of one CPU in a quarter of the period.',
    reads:
      'nr_periods, nr_throttled and throttled_usec (v1: throttled_time) of cpu.stat of each cgroup that holds a process with sockets, and of the cgroups above it, twice.',
    threshold:
      'warn: nr_throttled grew within the window. info: the group was throttled since it was made, but not within the window.',
    why: 'Every thread of the group stands still until the period ends: requests in flight wait tens of milliseconds although CPUs may be free.',
    remedy:
      'Raise or remove the quota (systemd: CPUQuota=; Kubernetes: resources.limits.cpu; docker: --cpus), or run fewer busy threads (GOMAXPROCS, worker count) so that the quota lasts for the period. CPUWeight= shares CPUs without stopping anybody.',
    risk: 'The group can take more CPU from its neighbours: that is what the quota was for.',
    undo: 'Set the former quota again.',
    needs: 'nothing: a quota changes while the group runs',
    sources: [
      'https://docs.kernel.org/scheduler/sched-bwc.html',
      'https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.stat, cpu.max)',
      'systemd.resource-control(5): CPUQuota=, CPUWeight=',
    ],
  },
  judge(context: HostContext): Finding[] {
    const groups = cgroupPairs(context);
    if (groups.length === 0) return [notApplicable('no cgroup of a process with sockets was found')];
    const counted = groups.filter((group) => group.last.throttled !== undefined);
    if (counted.length === 0) return [unknown('cpu.stat of no cgroup could be read: no cpu controller is visible')];
    if (context.host.windowMs === undefined) return [needsWindow()];
    const findings = counted.flatMap((group) => judgeGroup(context, group));
    if (findings.length > 0) return findings;
    const limited = counted.filter((group) => group.last.cpuQuotaCpus !== undefined).length;
    return [pass(`${counted.length} cgroups, ${limited} with a CPU quota: none was ever throttled`)];
  },
});

function judgeGroup(context: HostContext, group: Pair<Cgroup>): Finding[] {
  const total = group.last.throttled ?? 0;
  if (total === 0) return [];
  const subject = cgroupSubject(context, group.last);
  const grown = growth(group.first?.throttled, total);
  if (!grown)
    return [
      info(
        `${group.last.path} was throttled in ${total} periods since it was made, none within the window`,
        evidence(group),
        {
          subject,
          weight: total,
        },
      ),
    ];
  const periods = growth(group.first?.periods, group.last.periods);
  const share = periods ? (100 * grown) / periods : undefined;
  const names = cgroupProcesses(context, group.last).map(named);
  return [
    warn(
      `${group.last.path} (${listed(names)}) ran out of CPU quota in ${grown}${periods ? ` of ${periods}` : ''} periods${share !== undefined ? ` (${percent(share)})` : ''}${quotaText(group.last)}`,
      evidence(group),
      { subject, weight: share ?? grown, remedy: remedy(group.last) },
    ),
  ];
}

const quotaText = ({ cpuQuotaCpus }: Cgroup): string =>
  cpuQuotaCpus === undefined ? '' : `: it may use ${round(cpuQuotaCpus, 2)} CPUs`;

function evidence({ first, last }: Pair<Cgroup>): Evidence[] {
  const source = cgroupSource(last, 'cpu', 'cpu.stat');
  const rows: Evidence[] = [];
  const add = (key: string, unit: string, before: number | undefined, now: number | undefined) => {
    const grown = growth(before, now);
    if (grown !== undefined) rows.push({ source, key, value: grown, unit, scope: 'window' });
    if (now !== undefined) rows.push({ source, key, value: now, unit, scope: 'total' });
  };
  add('nr_throttled', '1', first?.throttled, last.throttled);
  add('nr_periods', '1', first?.periods, last.periods);
  add('throttled_time', 'us', first?.throttledUs, last.throttledUs);
  const stall = growth(first?.cpuPressure?.someTotalUs, last.cpuPressure?.someTotalUs);
  if (stall !== undefined)
    rows.push({
      source: cgroupSource(last, 'cpu', 'cpu.pressure'),
      key: 'some',
      value: stall,
      unit: 'us',
      scope: 'window',
    });
  return rows;
}

function remedy(group: Cgroup): NonNullable<Finding['remedy']> {
  const unit = group.path.split('/').findLast((part) => /\.(service|scope|slice)$/.test(part));
  const quota = group.cpuQuotaCpus;
  if (!unit || quota === undefined || !group.path.endsWith(unit))
    return {
      summary: 'Raise or remove the CPU quota of this group, or run fewer busy threads in it',
      ...(quota !== undefined ? { undo: `Set the quota to ${round(quota, 2)} CPUs again.` } : {}),
    };
  const now = `${Math.round(quota * 100)}%`;
  return {
    summary: `Raise the CPU quota of ${unit} (now ${now}), or run fewer busy threads in it`,
    commands: [`systemctl set-property --runtime ${unit} CPUQuota=${Math.round(quota * 200)}%`],
    undo: `systemctl set-property --runtime ${unit} CPUQuota=${now}`,
  };
}
