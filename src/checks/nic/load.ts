import type { Evidence } from '../../model/results.js';
import type { Link } from '../../model/snapshot/index.js';
import { type CpuWindow, cpuWindows, parseCpuList } from '../cpus.js';
import { growth, type HostView } from '../view.js';
import { softnetRows } from './softnet.js';

/** Below this a share of a CPU's time says nothing: ticks are 10 ms. */
const MIN_TICKS = 20;

/** What each CPU did; empty without two readings, or when they are too close to each other to be divided. */
export const cpuLoads = (host: HostView): CpuWindow[] => cpuWindows(host).filter(({ ticks }) => ticks >= MIN_TICKS);

/** For checks that look for a busy CPU in a window in which that cannot be seen. */
export const loadUnknown = (host: HostView): string | undefined =>
  cpuLoads(host).length === 0 ? 'the window is too short to tell how busy CPUs are: try --window 1000' : undefined;

/** CPUs that spend at least this share in interrupts, the hottest first. */
export const hotCpus = (loads: readonly CpuWindow[], percent: number): CpuWindow[] =>
  loads.filter((load) => load.softirqPercent >= percent).toSorted((a, b) => b.softirqPercent - a.softirqPercent);

export const loadEvidence = (load: CpuWindow): Evidence => ({
  source: '/proc/stat',
  key: 'irq + softirq',
  value: Math.round(load.softirqPercent * 10) / 10,
  unit: '%',
  scope: 'window',
  subject: { cpu: load.cpu },
});

/** Interrupts of one IRQ within the window, by CPU. Undefined when they were not read twice. */
export function interruptsOf(host: HostView, irq: number): Map<number, number> | undefined {
  const first = host.first?.interrupts[String(irq)];
  const last = host.last.interrupts[String(irq)];
  if (!first || !last || host.first?.interruptCpus.join() !== host.last.interruptCpus.join()) return undefined;
  return new Map(host.last.interruptCpus.map((cpu, i) => [cpu, growth(first[i], last[i]) ?? 0]));
}

/**
 * CPUs on which this link's interrupts ran within the window or must run. Undefined when that is not known (no
 * interrupts of its own, not shown): then no CPU can be ruled out.
 */
export function interruptCpus(host: HostView, link: Link): Set<number> | undefined {
  if (!link.irqs?.length) return undefined;
  const cpus = new Set<number>();
  for (const { irq, effectiveAffinity } of link.irqs) {
    for (const [cpu, count] of interruptsOf(host, irq) ?? []) if (count > 0) cpus.add(cpu);
    const [only, ...others] = parseCpuList(effectiveAffinity ?? '');
    if (only !== undefined && others.length === 0) cpus.add(only);
  }
  return cpus.size > 0 ? cpus : undefined;
}

/** A CPU that is busy with interrupts but takes fewer packets than this off the network is busy with something else. */
const MIN_PACKETS_PER_SECOND = 2000;

function takesPackets(host: HostView, cpu: number): boolean {
  const row = softnetRows(host).find((r) => r.cpu === cpu);
  const packets = row?.delta('processed');
  return packets === undefined || !host.windowMs || (packets * 1000) / host.windowMs >= MIN_PACKETS_PER_SECOND;
}

/** The hottest CPU that serves this link. */
export function hotCpuOf(host: HostView, link: Link, percent: number): CpuWindow | undefined {
  const serving = interruptCpus(host, link);
  return hotCpus(cpuLoads(host), percent).find(
    (load) => (serving === undefined || serving.has(load.cpu)) && takesPackets(host, load.cpu),
  );
}
