import type { FileProbe } from '../files.js';

const MEMINFO = '/proc/meminfo';
const VMSTAT = '/proc/vmstat';
const FILE_NR = '/proc/sys/fs/file-nr';

export const memory: FileProbe<Record<string, number>> = {
  name: 'memory',
  wants: { files: [MEMINFO] },
  parse: (found) => parseMeminfo(found.required(MEMINFO) ?? ''),
};

export const vmstat: FileProbe<Record<string, number>> = {
  name: 'vmstat',
  wants: { files: [VMSTAT] },
  parse: (found) => parseVmstat(found.required(VMSTAT) ?? ''),
};

export const fileNr: FileProbe<{ allocated: number; max: number } | undefined> = {
  name: 'file-nr',
  wants: { files: [FILE_NR] },
  parse: (found) => parseFileNr(found.required(FILE_NR) ?? ''),
};

/** Bytes. The counts of huge pages, which have no unit, are left out. */
export function parseMeminfo(text: string): Record<string, number> {
  const values: Record<string, number> = {};
  for (const match of text.matchAll(/^([^:\n]+):\s+(\d+) kB$/gm)) values[match[1] as string] = Number(match[2]) * 1024;
  return values;
}

/** Events of reclaim, swapping, faults and NUMA; not the page counts of nr_*, which meminfo has. */
export function parseVmstat(text: string): Record<string, number> {
  const values: Record<string, number> = {};
  for (const match of text.matchAll(/^(\w+) (\d+)$/gm)) {
    const name = match[1] as string;
    if (!name.startsWith('nr_')) values[name] = Number(match[2]);
  }
  return values;
}

/** fs.file-nr: allocated, free (always 0 since 2.6), maximum; the maximum may be 2^63-1. */
export function parseFileNr(text: string): { allocated: number; max: number } | undefined {
  const [allocated, , max] = text.trim().split(/\s+/).map(Number);
  return allocated !== undefined && max !== undefined ? { allocated, max } : undefined;
}
