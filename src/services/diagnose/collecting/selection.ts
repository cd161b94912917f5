import type { Snapshot } from '../../../model/snapshot/index.js';
import { containerOf, readContainerNames } from '../../../probes/containers.js';
import {
  cgroupPath,
  isBelow,
  isInUnit,
  type ProcessCgroups,
  readProcessCgroups,
  unitName,
} from '../../../probes/process-cgroups.js';
import { notPossible, usageError } from '../../../support/errors.js';
import type { Target } from '../options.js';
import { ofProcess } from './namespaces.js';

export interface Selection {
  /** Undefined: all processes. */
  pids: readonly number[] | undefined;
  described: Snapshot['selection'];
}

/** The processes that a target names; what stands for no process is an error. Several kinds add up. */
export async function select(target: Target): Promise<Selection> {
  const { unit, container, cgroup } = target;
  const pids = new Set(target.pids);
  const labels = target.pids.length > 0 ? [`pid ${target.pids.join(', ')}`] : [];
  for (const pid of target.pids) ofProcess(pid);
  if (unit !== undefined || container !== undefined || cgroup !== undefined) {
    const all = (await readProcessCgroups()).filter(({ pid }) => pid !== process.pid);
    const add = (label: string, found: readonly number[]) => {
      labels.push(label);
      for (const pid of found) pids.add(pid);
    };
    if (unit !== undefined) add(`unit ${unitName(unit)}`, ofUnit(all, unitName(unit)));
    if (container !== undefined) add(`container ${container}`, await ofContainer(all, container));
    if (cgroup !== undefined) add(`cgroup ${cgroupPath(cgroup)}`, ofCgroup(all, cgroupPath(cgroup)));
  }
  if (labels.length === 0) return { pids: undefined, described: {} };
  const list = [...pids].toSorted((a, b) => a - b);
  return { pids: list, described: { pids: list, label: labels.join(', ') } };
}

/** After the window: with the processes that a unit, container or cgroup got meanwhile. Those that ended stay in. */
export async function selectAgain(target: Target, before: Selection): Promise<Selection> {
  if (target.unit === undefined && target.container === undefined && target.cgroup === undefined) return before;
  try {
    const now = await select({ ...target, pids: [] });
    const pids = [...new Set([...(before.pids ?? []), ...(now.pids ?? [])])].toSorted((a, b) => a - b);
    return { pids, described: { ...before.described, pids } };
  } catch {
    return before; // all of them have ended
  }
}

const pidsWhere = (all: readonly ProcessCgroups[], matches: (path: string) => boolean): number[] =>
  all.filter(({ paths }) => paths.some(matches)).map(({ pid }) => pid);

function ofUnit(all: readonly ProcessCgroups[], unit: string): number[] {
  const pids = pidsWhere(all, (path) => isInUnit(path, unit));
  if (pids.length > 0) return pids;
  throw notPossible(`no process runs in the unit ${unit}`, { next: `See whether it runs: systemctl status ${unit}` });
}

function ofCgroup(all: readonly ProcessCgroups[], cgroup: string): number[] {
  const pids = pidsWhere(all, (path) => isBelow(path, cgroup));
  if (pids.length > 0) return pids;
  throw notPossible(`no process is in the cgroup ${cgroup}`, {
    next: 'Give a path below the root of a hierarchy, as in /proc/PID/cgroup: /system.slice/nginx.service',
  });
}

async function ofContainer(all: readonly ProcessCgroups[], wanted: string): Promise<number[]> {
  const named = (await readContainerNames()).get(wanted);
  const ids = named ?? beginningWith(all, wanted);
  const pids = pidsWhere(all, (path) =>
    path.split('/').some((part) => {
      const { id, name } = containerOf(part);
      return name === wanted || (id !== undefined && ids.includes(id));
    }),
  );
  if (pids.length > 0) return pids;
  throw notPossible(`no process runs in a container ${wanted}`, {
    next: 'Give the id, or its beginning, as in `docker ps`, `podman ps` or `crictl ps`. Names of containers can be looked up by root only.',
  });
}

/** An id may be cut short, as the engines show it, while it stays the only one. */
function beginningWith(all: readonly ProcessCgroups[], beginning: string): string[] {
  if (!/^[0-9a-f]{4,64}$/.test(beginning)) return [];
  const ids = new Set<string>();
  for (const { paths } of all) {
    for (const part of paths.flatMap((path) => path.split('/'))) {
      const { id } = containerOf(part);
      if (id?.startsWith(beginning)) ids.add(id);
    }
  }
  if (ids.size <= 1) return [...ids];
  const short = [...ids].map((id) => id.slice(0, 12)).join(', ');
  throw usageError(`"${beginning}" is the beginning of ${ids.size} container ids: ${short}`, {
    next: 'Give more of it.',
  });
}
