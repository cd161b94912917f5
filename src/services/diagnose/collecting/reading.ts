import type { HostReading, NetnsReading, Reading } from '../../../model/snapshot/index.js';
import { type Hierarchies, readCgroups } from '../../../probes/cgroups/index.js';
import { readProbes } from '../../../probes/files.js';
import { hostReadingProbes } from '../../../probes/host/index.js';
import { type CpuTable, type NetworkIrqs, onlyNetwork } from '../../../probes/host/interrupts.js';
import { collectLinkCounters } from '../../../probes/links.js';
import type { Namespace } from '../../../probes/namespaces.js';
import type { SocketProbe, SocketsAnswer } from '../../../probes/native.js';
import { netnsReadingProbes } from '../../../probes/netns/index.js';
import { collectRdmaCounters } from '../../../probes/rdma.js';
import type { GapList } from './gaps.js';

export interface ReadingRequest {
  namespaces: readonly Namespace[];
  pids: readonly number[] | undefined;
  selfPids: readonly number[];
  sockets: SocketProbe | undefined;
  hierarchies: Hierarchies;
  /** The first of two: brings no rows of connections, and starts what is sampled until the next. */
  beginsWindow: boolean;
}

/** A reading, and what can be made part of it only when the facts are known. */
export interface RawReading {
  reading: Reading;
  interrupts: CpuTable | undefined;
  observed: SocketsAnswer['observed'];
}

const monotonicMs = () => Number(process.hrtime.bigint()) / 1e6;

/** Everything that moves, read at one moment. */
export async function readOnce(request: ReadingRequest, gaps: GapList): Promise<RawReading> {
  const started = monotonicMs();
  const [host, rdma, netns, sockets] = await Promise.all([
    gaps.attempt('host', () => readProbes(hostReadingProbes)),
    gaps.attempt('rdma', collectRdmaCounters),
    Promise.all(request.namespaces.map((namespace) => readNetns(namespace, gaps))),
    readSockets(request, gaps),
  ]);
  const processes = sockets?.host.processes ?? [];
  const groups = await gaps.attempt('cgroups', () => readCgroups(processes, request.hierarchies));
  gaps.add(...(host?.gaps ?? []), ...(rdma?.gaps ?? []), ...(groups?.gaps ?? []));
  const parts = host?.parts ?? {};
  const reading: HostReading = {
    ...(parts.stat ?? { cpus: [] }),
    softnet: parts.softnet ?? [],
    softirqs: parts.softirqs?.counts ?? {},
    softirqCpus: parts.softirqs?.cpus ?? [],
    interrupts: {},
    interruptCpus: [],
    pressure: parts.pressure ?? {},
    memory: parts.memory ?? {},
    vmstat: parts.vmstat ?? {},
    ...(parts.files ? { files: parts.files } : {}),
    ...(rdma && rdma.rdmaCounters.length > 0 ? { rdmaCounters: rdma.rdmaCounters } : {}),
    cgroups: groups?.cgroups ?? [],
    processes: [],
    threads: [],
    ...sockets?.host,
  };
  return {
    reading: { monotonicMs: started, host: reading, netns: netns.map((part, at) => withSockets(part, sockets, at)) },
    interrupts: parts.interrupts,
    observed: sockets?.observed ?? {},
  };
}

export function finish({ reading, interrupts }: RawReading, network: NetworkIrqs | undefined): Reading {
  if (!interrupts || !network) return reading;
  const { cpus, counts } = onlyNetwork(interrupts, network);
  return { ...reading, host: { ...reading.host, interrupts: counts, interruptCpus: cpus } };
}

async function readNetns(namespace: Namespace, gaps: GapList): Promise<NetnsReading> {
  const where = namespace.path === '' ? {} : { netns: namespace.path };
  const [read, links] = await Promise.all([
    gaps.attempt('netns', () => readProbes(netnsReadingProbes, where)),
    gaps.attempt('links', () => collectLinkCounters(namespace.path)),
  ]);
  gaps.add(...(read?.gaps ?? []), ...(links?.gaps ?? []));
  const { counters = {}, sockstat = {}, neighbours = [], conntrack } = read?.parts ?? {};
  return {
    id: namespace.id,
    counters,
    sockstat,
    neighbours,
    links: links?.counters ?? [],
    ...(conntrack ? { conntrack } : {}),
  };
}

async function readSockets(request: ReadingRequest, gaps: GapList): Promise<SocketsAnswer | undefined> {
  const { sockets, pids, namespaces, selfPids, beginsWindow } = request;
  if (!sockets) return undefined;
  const answer = await gaps.attempt('sockets', () =>
    sockets.read({
      netns: namespaces.map((namespace) => namespace.path),
      ...(pids ? { pids: [...pids] } : {}),
      selfPids: [...selfPids],
      rows: !beginsWindow,
      sampleSelect: beginsWindow,
    }),
  );
  if (answer) gaps.add(...answer.gaps);
  return answer;
}

function withSockets(reading: NetnsReading, answer: SocketsAnswer | undefined, at: number): NetnsReading {
  const sockets = answer?.netns[at]?.sockets;
  return sockets ? { ...reading, sockets } : reading;
}
