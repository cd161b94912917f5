import type { Gap } from '../../model/gap.js';
import type { Cgroup, Process } from '../../model/snapshot/index.js';
import { Found } from '../files.js';
import { readFiles } from '../native.js';
import { groupsOf } from './groups.js';
import type { Hierarchies } from './hierarchies.js';
import { filesOf, parseGroup } from './parse.js';

export { findHierarchies, type Hierarchies } from './hierarchies.js';

/** A host has some hundred with sockets in them; more would make a reading slow. */
const MAX_GROUPS = 1000;

/** The cgroups that hold a process of these, and those above that have a limit of their own. */
export async function readCgroups(
  processes: readonly Process[],
  hierarchies: Hierarchies,
): Promise<{ cgroups: Cgroup[]; gaps: Gap[] }> {
  if (!hierarchies.cpu && !hierarchies.memory && !hierarchies.unified) return { cgroups: [], gaps: [HIDDEN] };
  const all = groupsOf(processes, hierarchies);
  const groups = all.slice(0, MAX_GROUPS);
  const answer = await readFiles({ files: groups.flatMap(filesOf) });
  const found = new Found(answer, 'cgroups');
  const cgroups = groups
    .map((group) => ({ group, cgroup: parseGroup(group, found) }))
    .filter(({ group, cgroup }) => group.holds || isLimited(cgroup))
    .map(({ cgroup }) => cgroup);
  return { cgroups, gaps: [...answer.gaps, ...tooMany(all.length)] };
}

const isLimited = (group: Cgroup) =>
  group.cpuQuotaCpus !== undefined || group.memoryLimitBytes !== undefined || group.socketLimitBytes !== undefined;

const HIDDEN: Gap = { probe: 'cgroups', what: '/sys/fs/cgroup', reason: 'not mounted in this mount namespace' };

const tooMany = (count: number): Gap[] =>
  count <= MAX_GROUPS
    ? []
    : [
        {
          probe: 'cgroups',
          what: 'cgroups',
          reason: `only the first ${MAX_GROUPS} were read`,
          count: count - MAX_GROUPS,
        },
      ];
