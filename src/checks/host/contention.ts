import type { Process } from '../../model/snapshot/index.js';
import { cpuWindows, formatCpuList, parseCpuList } from '../cpus.js';
import { growth, type HostView } from '../view.js';
import { percent } from './numbers.js';
import type { ProcessWindow } from './threads.js';

/** A CPU that idled this much could have run somebody who waited elsewhere. */
const MOSTLY_IDLE_PERCENT = 70;
/** A process that used this much of the CPUs that it may run on waits for itself. */
const SATURATED_PERCENT = 70;

/** Why a process waited for a CPU, as far as the snapshot shows it: a sentence for the finding. */
export function contention(host: HostView, entry: ProcessWindow): string {
  return (
    throttled(host, entry.process) ??
    pinned(host, entry.process) ??
    ownThreads(host, entry) ??
    'Other work holds the CPUs that it may run on.'
  );
}

/** The quota of a group above counts as well. */
function throttled(host: HostView, { cgroup }: Process): string | undefined {
  if (cgroup === undefined) return undefined;
  for (const group of host.last.cgroups) {
    if (group.path !== cgroup && !cgroup.startsWith(`${group.path}/`)) continue;
    const before = host.first?.cgroups.find((other) => other.path === group.path && other.version === group.version);
    const periods = growth(before?.throttled, group.throttled);
    if (periods) return `Its cgroup ${group.path} ran out of CPU quota ${periods} times (see throttling).`;
  }
  return undefined;
}

function pinned(host: HostView, process: Process): string | undefined {
  if (process.cpusAllowed === undefined) return undefined;
  const allowed = parseCpuList(process.cpusAllowed);
  const elsewhere = cpuWindows(host).filter((cpu) => !allowed.has(cpu.cpu));
  const idle = elsewhere.filter((cpu) => cpu.idlePercent >= MOSTLY_IDLE_PERCENT).map((cpu) => cpu.cpu);
  if (elsewhere.length === 0) return undefined;
  const where = `It may run on CPU ${process.cpusAllowed} only`;
  return idle.length > 0 ? `${where}, while CPU ${formatCpuList(idle)} was mostly idle.` : `${where}.`;
}

function ownThreads(host: HostView, { process, threads }: ProcessWindow): string | undefined {
  const cpus = process.cpusAllowed ? parseCpuList(process.cpusAllowed).size : host.facts.cpus.length;
  const capacity = (host.windowMs ?? 0) * cpus;
  const used = threads.reduce((sum, thread) => sum + thread.runMs, 0);
  if (capacity === 0 || (100 * used) / capacity < SATURATED_PERCENT) return undefined;
  return `Its own threads used ${percent((100 * used) / capacity)} of the CPUs that it may run on: it waits for itself.`;
}
