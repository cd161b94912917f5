import type { Cgroup } from '../../model/snapshot/index.js';
import type { Found } from '../files.js';
import { parsePressure } from '../host/pressure.js';
import type { Group } from './groups.js';

/** PAGE_COUNTER_MAX in bytes, whatever the page size: version 1 shows it where there is no limit. */
const UNLIMITED_V1 = 2 ** 62;

const CPU = { 1: ['cpu.stat', 'cpu.cfs_quota_us', 'cpu.cfs_period_us'], 2: ['cpu.stat', 'cpu.max', 'cpu.pressure'] };
const MEMORY = {
  1: [
    'memory.usage_in_bytes',
    'memory.limit_in_bytes',
    'memory.kmem.tcp.usage_in_bytes',
    'memory.kmem.tcp.limit_in_bytes',
    'memory.kmem.tcp.failcnt',
  ],
  2: ['memory.current', 'memory.max', 'memory.stat', 'memory.events', 'memory.pressure'],
};

export function filesOf(group: Group): string[] {
  return [
    ...(group.cpu === undefined ? [] : CPU[group.version].map((file) => `${group.cpu}/${file}`)),
    ...(group.memory === undefined ? [] : MEMORY[group.version].map((file) => `${group.memory}/${file}`)),
  ];
}

export function parseGroup(group: Group, found: Found): Cgroup {
  const { path, version, pids } = group;
  const parts = version === 1 ? versionOne(group, found) : versionTwo(group, found);
  const known = Object.entries(parts).filter(([, value]) => value !== undefined);
  return { path, version, pids, ...Object.fromEntries(known) };
}

type Values = { [K in Exclude<keyof Cgroup, 'path' | 'version' | 'pids'>]: Cgroup[K] | undefined };

function versionOne({ cpu, memory }: Group, found: Found): Values {
  const stat = parseKeyed(found.text(`${cpu}/cpu.stat`));
  const quota = found.integer(`${cpu}/cpu.cfs_quota_us`);
  const period = found.integer(`${cpu}/cpu.cfs_period_us`);
  const limit = (file: string) => {
    const value = found.integer(`${memory}/${file}`);
    return value !== undefined && value < UNLIMITED_V1 ? value : undefined;
  };
  const throttledNs = stat.get('throttled_time');
  return {
    periods: stat.get('nr_periods'),
    throttled: stat.get('nr_throttled'),
    throttledUs: throttledNs === undefined ? undefined : Math.round(throttledNs / 1000),
    cpuQuotaCpus: quota !== undefined && period !== undefined && quota > 0 ? quota / period : undefined,
    memoryBytes: found.integer(`${memory}/memory.usage_in_bytes`),
    memoryLimitBytes: limit('memory.limit_in_bytes'),
    socketBytes: found.integer(`${memory}/memory.kmem.tcp.usage_in_bytes`),
    socketLimitBytes: limit('memory.kmem.tcp.limit_in_bytes'),
    socketFailures: found.integer(`${memory}/memory.kmem.tcp.failcnt`),
    cpuPressure: undefined,
    memoryPressure: undefined,
  };
}

function versionTwo({ cpu, memory }: Group, found: Found): Values {
  const stat = parseKeyed(found.text(`${cpu}/cpu.stat`));
  return {
    periods: stat.get('nr_periods'),
    throttled: stat.get('nr_throttled'),
    throttledUs: stat.get('throttled_usec'),
    cpuQuotaCpus: parseCpuMax(found.line(`${cpu}/cpu.max`)),
    memoryBytes: found.integer(`${memory}/memory.current`),
    memoryLimitBytes: found.integer(`${memory}/memory.max`), // "max" where there is none
    socketBytes: parseKeyed(found.text(`${memory}/memory.stat`)).get('sock'),
    socketLimitBytes: undefined,
    socketFailures: parseKeyed(found.text(`${memory}/memory.events`)).get('max'),
    cpuPressure: parsePressure(found.text(`${cpu}/cpu.pressure`) ?? ''),
    memoryPressure: parsePressure(found.text(`${memory}/memory.pressure`) ?? ''),
  };
}

/** "quota period", "max 100000" */
function parseCpuMax(line: string | undefined): number | undefined {
  const [quota, period] = (line ?? '').split(' ').map(Number);
  return quota !== undefined && period !== undefined && quota > 0 ? quota / period : undefined;
}

/** Lines "key number". */
function parseKeyed(text = ''): Map<string, number> {
  return new Map([...text.matchAll(/^(\S+) (\d+)$/gm)].map((match) => [match[1] as string, Number(match[2])]));
}
