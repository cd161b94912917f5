import { readdirSync, readFileSync } from 'node:fs';
import { parseStat } from '../../probes/host/cpu-times.js';

/** Of sysconf(_SC_CLK_TCK): on Linux it is 100 for programs, whatever the kernel's own. */
export const TICK_MS = 10;

/** In ticks, since they began. */
export interface CpuUse {
  atMs: number;
  /** What the CPUs did not idle, all together. */
  busy: number;
  /** Of that, the processes that are measured, and all that ended already. */
  ours: number;
}

/** CPU time of these CPUs (empty: all) and of these processes with all that they started. */
export function cpuUse(cpus: readonly number[], pids: readonly number[]): CpuUse {
  const wanted = new Set(cpus);
  const times = parseStat(readFileSync('/proc/stat', 'utf8')).cpus.filter(
    ({ cpu }) => wanted.size === 0 || wanted.has(cpu),
  );
  const busy = times.reduce((sum, t) => sum + t.user + t.nice + t.system + t.irq + t.softirq + t.steal, 0);
  // Whoever ended was waited for by its parent, in the end by us, who then has its time.
  const ours = pids.flatMap(family).reduce((sum, pid) => sum + ticksOf(pid), 0) + ticksOf(process.pid, false);
  return { atMs: performance.now(), busy, ours };
}

/** The share of the CPUs' time, in percent, that others took between two looks. */
export function othersPercent(before: CpuUse, after: CpuUse, cpus: number): number {
  const there = ((after.atMs - before.atMs) * cpus) / TICK_MS;
  const others = after.busy - before.busy - (after.ours - before.ours);
  // Counts are cut to whole ticks, on each CPU: what is below that was nobody.
  return there <= 0 ? 0 : (Math.max(0, others - cpus) / there) * 100;
}

function family(pid: number): number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const children = tasks.flatMap((task) => words(readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')));
    return [pid, ...children.map(Number).flatMap(family)];
  } catch {
    return []; // it ended meanwhile
  }
}

const words = (text: string) => text.trim().split(/\s+/).filter(Boolean);

/** utime, stime, cutime, cstime of proc(5). `self`: the first two. */
function ticksOf(pid: number, self = true): number {
  try {
    const fields = words(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, ''))
      .slice(11, 15)
      .map(Number);
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields;
    return childUser + childSystem + (self ? user + system : 0);
  } catch {
    return 0;
  }
}
