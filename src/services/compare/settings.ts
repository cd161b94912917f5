import type { Change } from '../../model/diff.js';
import type { Link, Snapshot } from '../../model/snapshot/index.js';

type Settings = ReadonlyMap<string, string>;

/** Settings of two sides that are not alike, by name. */
export function changes(from: Settings, to: Settings, netns?: string): Change[] {
  return [...new Set([...from.keys(), ...to.keys()])]
    .filter((key) => from.get(key) !== to.get(key))
    .sort()
    .map((key) => ({
      key,
      ...(netns === undefined ? {} : { netns }),
      from: from.get(key) ?? null,
      to: to.get(key) ?? null,
    }));
}

/** What the host is and how it is set, apart from sysctls. */
export function hostSettings({ host }: Snapshot): Map<string, string> {
  const governors = [...new Set(host.cpus.flatMap((cpu) => cpu.governor ?? []))].sort().join(' ');
  return settings({
    kernel: host.kernel,
    cpus: host.cpus.length,
    memoryBytes: host.memoryBytes,
    numaNodes: host.numaNodes,
    container: host.container,
    virtualization: host.virtualization,
    clocksource: host.clocksource?.current,
    transparentHugepages: host.transparentHugepages,
    cpuDmaLatencyUs: host.cpuDmaLatencyUs,
    governor: governors === '' ? undefined : governors,
    congestionControls: host.congestionControls?.available.toSorted().join(' '),
    settingOwners: host.settingOwners
      .map((owner) => owner.name)
      .toSorted()
      .join(' '),
  });
}

/** Fields that say which device it is rather than how it is set. */
const IDENTITY = new Set(['index', 'name', 'macAddress', 'bus', 'irqs']);

/** Interfaces and how they are set: "eth0.mtu", "eth0.rings.rx", "eth0.features.rx-gro.on". */
export function linkSettings(links: readonly Link[]): Map<string, string> {
  const flat = new Map<string, string>();
  for (const link of links) {
    const own = Object.fromEntries(Object.entries(link).filter(([field]) => !IDENTITY.has(field)));
    flatten(own, link.name, flat);
  }
  return flat;
}

/** Limits by program name, since pids change; programs that run with different limits show all of them. */
export function limitSettings(snapshot: Snapshot): Map<string, string> {
  const values = new Map<string, Set<string>>();
  const add = (key: string, value: unknown) => {
    if (value !== undefined) values.set(key, (values.get(key) ?? new Set()).add(String(value)));
  };
  const { processes = [], cgroups = [] } = snapshot.readings.at(-1)?.host ?? {};
  for (const process of processes) {
    add(`${process.comm}.softDescriptors`, process.descriptors?.softLimit);
    add(`${process.comm}.hardDescriptors`, process.descriptors?.hardLimit);
    add(`${process.comm}.memlockBytes`, process.memlockUnlimited ? 'unlimited' : process.memlockBytes);
    add(`${process.comm}.cpusAllowed`, process.cpusAllowed);
  }
  for (const cgroup of cgroups) {
    add(`${cgroup.path}.cpuQuotaCpus`, cgroup.cpuQuotaCpus);
    add(`${cgroup.path}.memoryLimitBytes`, cgroup.memoryLimitBytes);
    add(`${cgroup.path}.socketLimitBytes`, cgroup.socketLimitBytes);
  }
  return new Map([...values].map(([key, all]) => [key, [...all].sort().join(' ')]));
}

/** Only what both sides have: a program that does not run on one of them is no changed limit. */
export function inBoth(from: Settings, to: Settings): { from: Settings; to: Settings } {
  const common = (side: Settings, other: Settings) => new Map([...side].filter(([key]) => other.has(key)));
  return { from: common(from, to), to: common(to, from) };
}

function settings(values: Readonly<Record<string, string | number | undefined>>): Map<string, string> {
  return new Map(Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])));
}

function flatten(value: unknown, path: string, into: Map<string, string>): void {
  if (typeof value !== 'object' || value === null) into.set(path, String(value));
  else for (const [key, item] of Object.entries(value)) flatten(item, `${path}.${key}`, into);
}
