import { readdirSync, readFileSync } from 'node:fs';
import { cpus, hostname, loadavg, release, totalmem } from 'node:os';
import type { BenchHost } from '../../model/bench.js';

const VULNERABILITIES = '/sys/devices/system/cpu/vulnerabilities';

/** What figures depend on, as far as this host says it. */
export function benchHost(): BenchHost {
  const models = cpus();
  const allowed = allowedCpus();
  return {
    hostname: hostname(),
    kernel: release(),
    arch: process.arch,
    cpuModel: models[0]?.model.trim() ?? 'unknown',
    cpus: models.length,
    allowedCpus: allowed,
    virtual: /^flags\s*:.*\bhypervisor\b/m.test(read('/proc/cpuinfo')),
    governors: [
      ...new Set(allowed.map((cpu) => read(`/sys/devices/system/cpu/cpu${cpu}/cpufreq/scaling_governor`))),
    ].filter((governor) => governor !== ''),
    clocksource: read('/sys/devices/system/clocksource/clocksource0/current_clocksource'),
    mitigations: mitigations(),
    loadAverage: loadavg().map((load) => Number(load.toFixed(2))),
    memoryBytes: totalmem(),
  };
}

/** The CPUs that we may run on: of the affinity and of the cgroup. */
export function allowedCpus(status = read('/proc/self/status')): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '';
  return list
    .split(',')
    .filter(Boolean)
    .flatMap((range) => {
      const [from = 0, to = from] = range.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
}

function mitigations(): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of list(VULNERABILITIES)) {
    const state = read(`${VULNERABILITIES}/${name}`);
    if (state !== '' && state !== 'Not affected') found[name] = state;
  }
  return found;
}

/** '' where there is none. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
