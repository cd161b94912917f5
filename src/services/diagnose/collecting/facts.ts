import type { HostFacts, NetnsFacts } from '../../../model/snapshot/index.js';
import { readProbes } from '../../../probes/files.js';
import { hostFactProbes } from '../../../probes/host/index.js';
import type { NetworkIrqs } from '../../../probes/host/interrupts.js';
import { readCpuDmaLatency } from '../../../probes/host/machine.js';
import { collectLinks } from '../../../probes/links.js';
import type { Namespace } from '../../../probes/namespaces.js';
import { readFeatures } from '../../../probes/native.js';
import { netnsFactProbes } from '../../../probes/netns/index.js';
import { INITIAL_ONLY } from '../../../probes/netns/sysctls.js';
import { collectRdma } from '../../../probes/rdma.js';
import type { GapList } from './gaps.js';

export interface Facts {
  host: HostFacts;
  netns: NetnsFacts[];
  networkIrqs: NetworkIrqs | undefined;
}

/** What does not change: read once, while the window runs. */
export async function readFacts(namespaces: readonly Namespace[], gaps: GapList): Promise<Facts> {
  const [host, netns] = await Promise.all([
    readHostFacts(gaps),
    Promise.all(namespaces.map((namespace) => readNetnsFacts(namespace, gaps))),
  ]);
  return { ...host, netns };
}

async function readHostFacts(gaps: GapList): Promise<Omit<Facts, 'netns'>> {
  const asked = await gaps.attempt('features', readFeatures);
  const [read, rdma] = await Promise.all([
    gaps.attempt('host', () => readProbes(hostFactProbes(asked?.hypervisor))),
    gaps.attempt('rdma', collectRdma),
  ]);
  gaps.add(...(asked?.gaps ?? []), ...(read?.gaps ?? []), ...(rdma?.gaps ?? []));
  const cpuDmaLatencyUs = readCpuDmaLatency();
  const { identity, topology, machine, networkIrqs, ...parts } = read?.parts ?? {};
  const { hostname = '', kernel = '', memoryBytes = 0, effectiveUid, ...who } = identity ?? { capabilities: [] };
  const host: HostFacts = {
    hostname,
    kernel,
    arch: process.arch,
    memoryBytes,
    ...who,
    effectiveUid: effectiveUid ?? process.geteuid?.() ?? -1,
    pageBytes: asked?.pageBytes ?? 4096,
    cpus: topology?.cpus ?? [],
    numaNodes: topology?.numaNodes ?? 1,
    ...machine,
    ...(parts.container !== undefined ? { container: parts.container } : {}),
    ...(parts.virtualization !== undefined ? { virtualization: parts.virtualization } : {}),
    ...(cpuDmaLatencyUs !== undefined ? { cpuDmaLatencyUs } : {}),
    ...(parts.congestionControls ? { congestionControls: parts.congestionControls } : {}),
    ...(parts.programs ? { programs: parts.programs } : {}),
    sysctls: parts.sysctls ?? {},
    ...(parts.sysctlFiles ? { sysctlFiles: parts.sysctlFiles } : {}),
    settingOwners: parts.settingOwners ?? [],
    ...(rdma ? { rdma: rdma.rdma } : {}),
    features: { ...parts.features, ...asked?.features },
  };
  return { host, networkIrqs };
}

async function readNetnsFacts(namespace: Namespace, gaps: GapList): Promise<NetnsFacts> {
  const where = namespace.path === '' ? {} : { netns: namespace.path };
  const [read, links] = await Promise.all([
    gaps.attempt('netns', () => readProbes(netnsFactProbes, where)),
    gaps.attempt('links', () => collectLinks(namespace.path)),
  ]);
  gaps.add(...(read?.gaps ?? []), ...(links?.gaps ?? []));
  const sysctls = read?.parts.sysctls ?? {};
  return {
    id: namespace.id,
    current: namespace.current,
    ...(namespace.name !== undefined ? { name: namespace.name } : {}),
    ...(Object.keys(sysctls).length > 0 ? { initial: INITIAL_ONLY in sysctls } : {}),
    sysctls,
    links: links?.links ?? [],
    addresses: links?.addresses ?? [],
    routes: links?.routes ?? [],
  };
}
