import type { Evidence } from '../../model/results.js';
import type { Cgroup } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { fail, info, notApplicable, pass, unknown, warn } from '../findings.js';
import { growth, type Pair } from '../view.js';
import { cgroupPairs, cgroupProcesses, cgroupSource, cgroupSubject } from './cgroups.js';
import { bytes, percent } from './numbers.js';
import { listed, named } from './subjects.js';

/** In cgroup v2 sockets share the limit of all memory: below this share of it they are not what fills the group. */
const NOTABLE_SHARE = 0.1;

export const cgroupSockets = defineCheck({
  id: 'cgroup-sockets',
  title: 'Socket memory of cgroups',
  category: 'memory',
  scope: 'host',
  priority: 70,
  thresholds: {
    warnPercent: { default: 80, unit: '%', description: 'Socket memory of its limit (cgroup v1)' },
    failPercent: { default: 95, unit: '%', description: 'Socket memory of its limit (cgroup v1)' },
  },
  page: {
    mechanism:
      'Buffers of TCP sockets are charged to the cgroup of their process. In cgroup v1 they may have a limit of their own (memory.kmem.tcp.limit_in_bytes); in v2 they count against memory.max like everything else. When a charge fails, the kernel treats the sockets of the group as under memory pressure: buffers stop growing, receive queues are pruned and segments dropped, although the host has memory to spare.',
    reads:
      'v1: memory.kmem.tcp.{usage_in_bytes,limit_in_bytes,failcnt}; v2: sock of memory.stat, memory.current, memory.max, max of memory.events; for the cgroups of processes with sockets, twice. cgroup v1 counts only the sockets made after the group was given a limit, and Linux 6.18 was seen not to move failcnt: so the use is judged as well.',
    threshold:
      'v1: fail when failcnt grew within the window or the sockets hold 95 % of their limit; warn at 80 %; info when failcnt is above zero and did not move. v2: warn when the group ran into memory.max within the window while sockets hold at least a tenth of it.',
    why: 'TCP shrinks windows and drops segments for the processes of this group only: transfers stall while the host looks healthy.',
    remedy:
      'Find what fills the buffers (receivers that do not read, many idle connections with full queues: see receive-prune, window-limited); raise the limit of the group if the use is right.',
    risk: 'The group may take that much more memory from the host; it is not swappable.',
    undo: 'Write the former limit again.',
    needs: 'nothing: limits change while the group runs',
    sources: [
      'https://docs.kernel.org/admin-guide/cgroup-v1/memory.html (memory.kmem.tcp.*)',
      'https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.stat: sock; memory.events: max)',
    ],
  },
  judge(context: HostContext): Finding[] {
    const groups = cgroupPairs(context);
    if (groups.length === 0) return [notApplicable('no cgroup of a process with sockets was found')];
    const known = groups.filter(({ last }) => last.socketBytes !== undefined || last.socketFailures !== undefined);
    if (known.length === 0) return [unknown('no memory controller with socket accounting is visible')];
    const findings = known.flatMap((group) => judgeGroup(context, group));
    if (findings.length > 0) return findings;
    const largest = known.toSorted((a, b) => (b.last.socketBytes ?? 0) - (a.last.socketBytes ?? 0))[0] as Pair<Cgroup>;
    return [
      pass(
        `${known.length} cgroups hold sockets, none is short of memory for them; the most is ${bytes(largest.last.socketBytes ?? 0)} in ${largest.last.path}`,
        evidence(largest),
      ),
    ];
  },
});

function judgeGroup(context: HostContext, group: Pair<Cgroup>): Finding[] {
  const finding = group.last.version === 1 ? ownLimit(context, group) : sharedLimit(group);
  if (!finding) return [];
  const names = listed(cgroupProcesses(context, group.last).map(named));
  const summary = `${group.last.path}${names ? ` (${names})` : ''}: ${finding.summary}`;
  return [{ ...finding, summary, subject: cgroupSubject(context, group.last) }];
}

/** cgroup v1: sockets have a limit and a failure count of their own. */
function ownLimit({ threshold }: HostContext, group: Pair<Cgroup>): Finding | undefined {
  const { socketBytes = 0, socketLimitBytes, socketFailures = 0 } = group.last;
  const failures = growth(group.first?.socketFailures, group.last.socketFailures);
  const share = socketLimitBytes ? (100 * socketBytes) / socketLimitBytes : 0;
  const use = socketLimitBytes
    ? `${bytes(socketBytes)} of the ${bytes(socketLimitBytes)} that its sockets may hold (${percent(share)})`
    : `${bytes(socketBytes)} in sockets`;
  const extra = { weight: share + (failures ?? 0), remedy: raise(group.last) };
  if (failures)
    return fail(`${failures} charges of socket memory failed within the window; ${use}`, evidence(group), extra);
  if (share >= threshold('failPercent')) return fail(use, evidence(group), extra);
  if (share > threshold('warnPercent')) return warn(use, evidence(group), extra);
  if (socketFailures > 0)
    return info(
      `${socketFailures} charges of socket memory failed since the group was made; now ${use}`,
      evidence(group),
      {
        weight: socketFailures,
      },
    );
  return undefined;
}

/** cgroup v2: one limit for all memory, of which sockets must be a notable part before they are blamed. */
function sharedLimit(group: Pair<Cgroup>): Finding | undefined {
  const { socketBytes = 0, memoryLimitBytes } = group.last;
  const hits = growth(group.first?.socketFailures, group.last.socketFailures);
  if (!hits || !memoryLimitBytes || socketBytes < NOTABLE_SHARE * memoryLimitBytes) return undefined;
  return warn(
    `ran into its memory limit of ${bytes(memoryLimitBytes)} ${hits} times within the window, with ${bytes(socketBytes)} of it in sockets`,
    evidence(group),
    { weight: (100 * socketBytes) / memoryLimitBytes },
  );
}

function raise(group: Cgroup): NonNullable<Finding['remedy']> {
  const limit = group.socketLimitBytes;
  const summary = 'Find what fills the buffers; if the use is right, raise the limit of socket memory of this group';
  if (limit === undefined) return { summary };
  const file = cgroupSource(group, 'memory', 'memory.kmem.tcp.limit_in_bytes');
  const wanted = 2 * Math.max(limit, group.socketBytes ?? 0);
  return { summary, commands: [`echo ${wanted} > ${file}`], undo: `echo ${limit} > ${file}` };
}

function evidence({ first, last }: Pair<Cgroup>): Evidence[] {
  const rows: Evidence[] = [];
  const v1 = last.version === 1;
  const row = (
    file: string,
    key: string,
    value: number | undefined,
    unit: string,
    scope: 'now' | 'window' | 'total',
  ) => {
    if (value !== undefined) rows.push({ source: cgroupSource(last, 'memory', file), key, value, unit, scope });
  };
  const failures = v1 ? 'memory.kmem.tcp.failcnt' : 'memory.events';
  const failureKey = v1 ? 'failcnt' : 'max';
  row(failures, failureKey, growth(first?.socketFailures, last.socketFailures), '1', 'window');
  row(failures, failureKey, last.socketFailures, '1', 'total');
  row(v1 ? 'memory.kmem.tcp.usage_in_bytes' : 'memory.stat', v1 ? 'usage' : 'sock', last.socketBytes, 'bytes', 'now');
  row('memory.kmem.tcp.limit_in_bytes', 'limit', last.socketLimitBytes, 'bytes', 'now');
  if (!v1) row('memory.max', 'limit', last.memoryLimitBytes, 'bytes', 'now');
  const stall = growth(first?.memoryPressure?.someTotalUs, last.memoryPressure?.someTotalUs);
  row('memory.pressure', 'some', stall, 'us', 'window');
  return rows;
}
