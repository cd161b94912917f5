import type { Process } from '../../model/snapshot/index.js';
import { folderOf, type Hierarchies } from './hierarchies.js';

/** A cgroup to read: where its files are, per kind. */
export interface Group {
  version: 1 | 2;
  path: string;
  cpu?: string;
  memory?: string;
  /** It holds a process itself; the others are above one that does. */
  holds: boolean;
  pids: number[];
}

const MAX_PIDS = 50;

/** The cgroups of these processes, and those above them, since a limit there is a limit here. */
export function groupsOf(processes: readonly Pick<Process, 'pid' | 'cgroups'>[], hierarchies: Hierarchies): Group[] {
  const groups = new Map<string, Group>();
  const { cpu, memory, unified } = hierarchies;
  const add = (
    version: 1 | 2,
    kinds: readonly ('cpu' | 'memory')[],
    mount: typeof cpu,
    path: string | undefined,
    pid: number,
  ) => {
    if (!mount || path === undefined) return;
    for (const at of upwards(path)) {
      const folder = folderOf(mount, at);
      if (folder === undefined) continue;
      const key = `${version}:${at}`;
      const group = groups.get(key) ?? { version, path: at, holds: false, pids: [] };
      for (const kind of kinds) group[kind] = folder;
      group.holds ||= at === path;
      if (group.pids.length < MAX_PIDS && !group.pids.includes(pid)) group.pids.push(pid);
      groups.set(key, group);
    }
  };
  for (const { pid, cgroups = {} } of processes) {
    add(1, ['cpu'], cpu, cgroups.cpu, pid);
    add(1, ['memory'], memory, cgroups.memory, pid);
    if (isUsed(hierarchies)) add(2, ['cpu', 'memory'], unified, cgroups.unified, pid);
  }
  return [...groups.values()];
}

/** Beside version 1 the unified hierarchy may be mounted without a controller: then it limits nothing. */
const isUsed = ({ cpu, memory, unified }: Hierarchies) =>
  unified !== undefined &&
  ((!cpu && !memory) || unified.controllers.some((name) => name === 'cpu' || name === 'memory'));

/** The path and those above it, without the root, unless it is the root itself. */
function upwards(path: string): string[] {
  const parts = path.split('/').filter(Boolean);
  if (parts.length === 0) return ['/'];
  return parts.map((_, at) => `/${parts.slice(0, parts.length - at).join('/')}`);
}
