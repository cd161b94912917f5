import type { Cpu } from '../model/snapshot/index.js';
import { growth, type HostView } from './view.js';

/** Clock ticks of a CPU over the window, and shares of them in per cent. */
export interface CpuWindow {
  cpu: number;
  ticks: number;
  idlePercent: number;
  stealPercent: number;
  softirqPercent: number;
}

const FIELDS = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;

/** "0-3,8" as a set. */
export function parseCpuList(text: string): Set<number> {
  const cpus = new Set<number>();
  for (const part of text.split(',')) {
    const range = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    if (!range) continue;
    for (let cpu = Number(range[1]); cpu <= Number(range[2] ?? range[1]); cpu++) cpus.add(cpu);
  }
  return cpus;
}

/** [0,1,2,8] as "0-2,8". */
export function formatCpuList(cpus: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const cpu of cpus.toSorted((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run && cpu === run[1] + 1) run[1] = cpu;
    else runs.push([cpu, cpu]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/** What each CPU did over the window. A CPU that was in only one reading (hot-plugged) is left out. */
export function cpuWindows(host: HostView): CpuWindow[] {
  const before = new Map((host.first?.cpus ?? []).map((times) => [times.cpu, times]));
  return host.last.cpus.flatMap((last) => {
    const first = before.get(last.cpu);
    if (!first) return [];
    // idle and iowait of /proc/stat can run backwards by a tick; that is not a reset.
    const spent = (field: (typeof FIELDS)[number]) => growth(first[field], last[field]) ?? 0;
    const ticks = FIELDS.reduce((sum, field) => sum + spent(field), 0);
    const share = (value: number) => (ticks > 0 ? (100 * value) / ticks : 0);
    return [
      {
        cpu: last.cpu,
        ticks,
        idlePercent: share(spent('idle') + spent('iowait')),
        stealPercent: share(spent('steal')),
        softirqPercent: share(spent('softirq') + spent('irq')),
      },
    ];
  });
}

/** Share of all CPUs' time that a field took, per cent; undefined without two readings. */
export function overall(windows: readonly CpuWindow[], field: 'stealPercent' | 'softirqPercent' | 'idlePercent') {
  const ticks = windows.reduce((sum, cpu) => sum + cpu.ticks, 0);
  if (ticks === 0) return undefined;
  return windows.reduce((sum, cpu) => sum + cpu[field] * cpu.ticks, 0) / ticks;
}

/** Hexadecimal groups of 32 bits with commas, highest first: what rps_cpus takes. */
export function cpuMask(cpus: readonly number[]): string {
  let bits = 0n;
  for (const cpu of cpus) bits |= 1n << BigInt(cpu);
  const groups: string[] = [];
  for (let rest = bits; rest > 0n; rest >>= 32n) groups.unshift((rest & 0xffffffffn).toString(16));
  if (groups.length === 0) return '0';
  return groups.map((group, i) => (i === 0 ? group : group.padStart(8, '0'))).join(',');
}

/** Whether a mask as in rps_cpus has no bit set. */
export const maskIsEmpty = (mask: string): boolean => /^[0,\s]*$/.test(mask);

/** Physical cores; CPUs where the topology is not known. */
export function coreCount(cpus: readonly Cpu[]): number {
  if (cpus.some((cpu) => cpu.core === undefined)) return cpus.length;
  return new Set(cpus.map((cpu) => `${cpu.package ?? 0}/${cpu.core}`)).size;
}

/** CPUs that share a core with this one, itself included. */
export function siblingsOf(cpus: readonly Cpu[], cpu: number): number[] {
  const own = cpus.find((c) => c.cpu === cpu);
  if (own?.core === undefined) return [cpu];
  return cpus.filter((c) => c.core === own.core && c.package === own.package).map((c) => c.cpu);
}
