import type { Cpu } from '../../model/snapshot/index.js';
import type { FileProbe, Found } from '../files.js';

const SYS = '/sys/devices/system';
const cpuFile = (rest: string) => `${SYS}/cpu/cpu[0-9]*/${rest}`;

export interface Topology {
  cpus: Cpu[];
  numaNodes: number;
}

/** Online CPUs with their place, and how they save power. */
export const topology: FileProbe<Topology> = {
  name: 'cpus',
  wants: {
    files: [`${SYS}/cpu/online`, '/proc/stat'],
    fileGlobs: [
      cpuFile('topology/physical_package_id'),
      cpuFile('topology/core_id'),
      cpuFile('cpufreq/scaling_governor'),
      cpuFile('cpufreq/energy_performance_preference'),
      ...['name', 'latency', 'disable'].map((file) => cpuFile(`cpuidle/state*/${file}`)),
    ],
    pathGlobs: [cpuFile('node[0-9]*'), `${SYS}/node/node[0-9]*`, cpuFile('cpuidle/state*')],
  },
  parse(found) {
    const nodes = new Map(
      found.paths(/\/cpu\/cpu(\d+)\/node(\d+)$/).map((match) => [Number(match[1]), Number(match[2])]),
    );
    const states = idleStates(found);
    return {
      cpus: online(found).map((cpu) => describe(found, cpu, nodes.get(cpu), states.get(cpu))),
      numaNodes: Math.max(1, found.paths(/\/node\/node\d+$/).length),
    };
  },
};

function describe(found: Found, cpu: number, node: number | undefined, idle: Cpu['idleStates']): Cpu {
  const file = (rest: string) => `${SYS}/cpu/cpu${cpu}/${rest}`;
  const core = found.integer(file('topology/core_id'));
  const governor = found.line(file('cpufreq/scaling_governor'));
  const packageId = found.integer(file('topology/physical_package_id'));
  const energyPreference = found.line(file('cpufreq/energy_performance_preference'));
  return {
    cpu,
    ...(node !== undefined ? { node } : {}),
    ...(packageId !== undefined ? { package: packageId } : {}),
    ...(core !== undefined ? { core } : {}),
    ...(governor ? { governor } : {}),
    ...(energyPreference ? { energyPreference } : {}),
    ...(idle ? { idleStates: idle } : {}),
  };
}

/** /sys may be hidden; /proc/stat then names the online CPUs. */
function online(found: Found): number[] {
  const list = found.line(`${SYS}/cpu/online`);
  if (list) return parseCpuList(list);
  return [...(found.required('/proc/stat') ?? '').matchAll(/^cpu(\d+) /gm)].map((match) => Number(match[1]));
}

function idleStates(found: Found): Map<number, Cpu['idleStates']> {
  const byCpu = new Map<number, { at: number; state: NonNullable<Cpu['idleStates']>[number] }[]>();
  for (const match of found.paths(/^(.*\/cpu\/cpu(\d+)\/cpuidle\/state(\d+))$/)) {
    const [folder, cpu, at] = [match[1], Number(match[2]), Number(match[3])];
    const latencyUs = found.integer(`${folder}/latency`);
    const name = found.line(`${folder}/name`);
    if (latencyUs === undefined || name === undefined) continue;
    const state = { name, latencyUs, disabled: (found.integer(`${folder}/disable`) ?? 0) !== 0 };
    byCpu.set(cpu, [...(byCpu.get(cpu) ?? []), { at, state }]);
  }
  return new Map(
    [...byCpu].map(([cpu, list]) => [cpu, list.toSorted((a, b) => a.at - b.at).map((entry) => entry.state)]),
  );
}

/** "0-3,8" */
export function parseCpuList(list: string): number[] {
  return list
    .trim()
    .split(',')
    .filter(Boolean)
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, at) => first + at);
    });
}
