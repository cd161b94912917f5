import { closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import type { HostFacts } from '../../model/snapshot/index.js';
import type { FileProbe } from '../files.js';

const CLOCK = '/sys/devices/system/clocksource/clocksource0';
const THP = '/sys/kernel/mm/transparent_hugepage/enabled';
const MODULES = '/proc/modules';

type Machine = Pick<HostFacts, 'clocksource' | 'transparentHugepages' | 'modules'>;

export const machine: FileProbe<Machine> = {
  name: 'machine',
  wants: { files: [`${CLOCK}/current_clocksource`, `${CLOCK}/available_clocksource`, THP, MODULES] },
  parse(found) {
    const current = found.line(`${CLOCK}/current_clocksource`);
    const available = found.line(`${CLOCK}/available_clocksource`);
    const thp = /\[(\w+)\]/.exec(found.text(THP) ?? '')?.[1];
    const modules = found.text(MODULES);
    if (current === undefined) found.missing(`${CLOCK}/current_clocksource`);
    return {
      ...(current !== undefined
        ? { clocksource: { current, available: available?.split(/\s+/).filter(Boolean) ?? [] } }
        : {}),
      ...(thp !== undefined ? { transparentHugepages: thp } : {}),
      ...(modules !== undefined ? { modules: parseModules(modules) } : {}),
    };
  },
};

export const parseModules = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.split(' ', 1)[0] as string)
    .filter((name) => name !== '');

/** PM_QOS_CPU_LATENCY_DEFAULT_VALUE: nobody asks for less. */
const NO_LIMIT_US = 2_000_000_000;

/**
 * The limit on CPU wake-up latency that programs hold on /dev/cpu_dma_latency now; undefined when nobody does or we may
 * not look. Opening it makes a request of our own without a limit, which ends with the descriptor.
 */
export function readCpuDmaLatency(path = '/dev/cpu_dma_latency'): number | undefined {
  const value = Buffer.alloc(4);
  try {
    const fd = openSync(path, constants.O_RDONLY);
    try {
      if (readSync(fd, value, 0, 4, null) !== 4) return undefined;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined; // absent, or for root only
  }
  const us = value.readInt32LE();
  return us === NO_LIMIT_US ? undefined : us;
}

/** Whether pid 1 has our root directory; false when it may not be asked. */
export function sameRootAsPid1(): boolean {
  try {
    const [ours, first] = [statSync('/'), statSync('/proc/1/root/')];
    return ours.ino === first.ino && ours.dev === first.dev;
  } catch {
    return false;
  }
}
