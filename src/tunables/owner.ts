import { unitOf } from '../checks/host/subjects.js';
import { sameValue, winner } from '../checks/sysctl-winner.js';
import type { HostFacts, Process, SettingOwner } from '../model/snapshot/index.js';
import { settingOf } from '../model/tune/keys.js';
import type { Owner } from '../model/tune/plan.js';

/**
 * Keys that programs write while they run, by their own documentation: bpftune's tuners, kube-proxy's --conntrack-*,
 * the rp_filter of CNI plug-ins. What tuned sets is in its profiles and is read from there.
 */
const WRITTEN_BY: Readonly<Record<string, readonly string[]>> = {
  irqbalance: ['/proc/irq/*/smp_affinity_list'],
  bpftune: [
    'net.ipv4.tcp_rmem',
    'net.ipv4.tcp_wmem',
    'net.ipv4.tcp_mem',
    'net.ipv4.udp_mem',
    'net.ipv4.tcp_max_orphans',
    'net.ipv4.tcp_congestion_control',
    'net.core.rmem_max',
    'net.core.rmem_default',
    'net.core.netdev_max_backlog',
    'net.core.netdev_budget',
    'net.core.netdev_budget_usecs',
    'net.*.neigh.default.gc_thresh*',
  ],
  'kube-proxy': ['net.netfilter.nf_conntrack_max', 'net.netfilter.nf_conntrack_buckets'],
  cilium: ['net.ipv4.conf.*.rp_filter'],
  calico: ['net.ipv4.conf.*.rp_filter'],
  tlp: ['/sys/devices/system/cpu/*/cpufreq/scaling_governor'],
  'power-profiles-daemon': ['/sys/devices/system/cpu/*/cpufreq/scaling_governor'],
  'google-guest-agent': ['/proc/irq/*/smp_affinity_list'],
};

export interface OwnerQuestion {
  key: string;
  /** The value now. */
  value: string;
  host: HostFacts;
  /** Files are applied in the initial namespace alone. */
  initial: boolean;
  /** The process of a limit. */
  process?: Process | undefined;
}

/** Who decides about a key: a program that writes it, before the file that sets it at boot. */
export function ownerOf(question: OwnerQuestion): Owner | null {
  return writerOf(question.key, question.host.settingOwners) ?? fileOf(question) ?? unitOwner(question) ?? null;
}

/** The running program that writes a key by itself. */
export function writerOf(key: string, programs: readonly SettingOwner[]): Owner | undefined {
  const found = programs.find(({ name, keys = [] }) =>
    [...keys, ...(WRITTEN_BY[name] ?? [])].some((pattern) => covers(pattern, key)),
  );
  if (!found) return undefined;
  const { name, pid, detail } = found;
  return {
    name,
    running: true,
    ...(pid === undefined ? {} : { pid }),
    ...(detail === undefined ? {} : { detail: `active profile ${detail}` }),
  };
}

function fileOf({ key, value, host, initial }: OwnerQuestion): Owner | undefined {
  const files = host.sysctlFiles;
  if (!files || !initial || settingOf(key)?.kind !== 'sysctl') return undefined;
  const line = winner(files, 'systemd', key) ?? winner(files, 'procps', key);
  if (line?.value === undefined) return undefined;
  return {
    name: `${line.file}:${line.line}`,
    running: false,
    ...(sameValue(line.value, value) ? {} : { detail: `it says ${line.value}, but ${value} is in force` }),
  };
}

function unitOwner({ process }: OwnerQuestion): Owner | undefined {
  const unit = process && unitOf(process);
  return unit ? { name: unit, running: false, detail: 'LimitNOFILE= of the unit' } : undefined;
}

/** "*" stands for one part of a name or a path. */
function covers(pattern: string, key: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^./]*')}$`).test(key);
}
