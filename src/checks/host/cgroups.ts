import type { Subject } from '../../model/results.js';
import type { Cgroup, Process } from '../../model/snapshot/index.js';
import type { HostContext } from '../check.js';
import { judgedPids, type Pair } from '../view.js';

/** The cgroups that hold a process to judge, with their first reading. */
export function cgroupPairs({ host, snapshot }: HostContext): Pair<Cgroup>[] {
  const judged = judgedPids(snapshot);
  const before = new Map((host.first?.cgroups ?? []).map((group) => [key(group), group]));
  return host.last.cgroups
    .filter((group) => group.pids.some(judged))
    .map((last) => {
      const first = before.get(key(last));
      return first ? { first, last } : { last };
    });
}

const key = (group: Cgroup): string => `${group.version}:${group.path}`;

/** Its processes that may be named, busiest first. */
export function cgroupProcesses({ host, snapshot }: HostContext, group: Cgroup): Process[] {
  const judged = judgedPids(snapshot);
  return group.pids
    .filter(judged)
    .flatMap((pid) => host.process(pid) ?? [])
    .toSorted((a, b) => (b.runMs ?? 0) - (a.runMs ?? 0));
}

/** The group, and the process of it that runs most. */
export function cgroupSubject(context: HostContext, group: Cgroup): Subject {
  const busiest = cgroupProcesses(context, group)[0];
  return { cgroup: group.path, ...context.host.subject(busiest?.pid ?? group.pids[0]) };
}

/** Where a file of a group stands; the mount point of cgroup v1 controllers is by convention. */
export const cgroupSource = (group: Cgroup, controller: string, file: string): string =>
  `/sys/fs/cgroup${group.version === 1 ? `/${controller}` : ''}${group.path === '/' ? '' : group.path}/${file}`;
