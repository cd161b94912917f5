import type { Gap } from '../../model/gap.js';
import type { HostFacts, KernelLogEntry } from '../../model/snapshot/index.js';
import { addon } from './addon.js';

export interface FeaturesAnswer {
  features: HostFacts['features'];
  /** CPUID's signature, "KVMKVMKVM"; empty on bare metal; absent where the CPU has no CPUID. */
  hypervisor?: string;
  pageBytes: number;
  gaps: Gap[];
}

export interface KernelLogAnswer {
  /** The whole log buffer of the kernel, oldest first; what programs wrote into it is left out. */
  entries: KernelLogEntry[];
  gaps: Gap[];
}

/** What the addon exports of it. */
interface Part {
  features(): Promise<string>;
  kernelLog(): Promise<string>;
}

/** What only a system call can tell about this kernel. */
export async function readFeatures(): Promise<FeaturesAnswer> {
  return JSON.parse(await addon<Part>().features()) as FeaturesAnswer;
}

/** The kernel's log as it stands. */
export async function readKernelLog(): Promise<KernelLogAnswer> {
  return JSON.parse(await addon<Part>().kernelLog()) as KernelLogAnswer;
}
