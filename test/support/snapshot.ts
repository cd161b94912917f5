import type {
  Connection,
  HostFacts,
  HostReading,
  Link,
  LinkCounters,
  Listener,
  NetnsFacts,
  NetnsReading,
  Process,
  Route,
  Snapshot,
  SocketDigest,
  SocketMemory,
  SysctlFiles,
  Thread,
  UdpSocket,
  UnixSocket,
} from '../../src/model/snapshot/index.js';

/** What a unit test says about a reading; the rest is a quiet host. */
export interface ReadingParts {
  host?: Partial<HostReading>;
  net?: Partial<NetnsReading>;
  sockets?: Partial<SocketDigest>;
}

export interface SnapshotParts {
  windowMs?: number;
  host?: Partial<HostFacts>;
  net?: Partial<NetnsFacts>;
  /** Without it there is one reading (window 0). */
  first?: ReadingParts;
  last?: ReadingParts;
  snapshot?: Partial<Snapshot>;
}

const NETNS = '4026531840';

const digest = (parts: Partial<SocketDigest> = {}): SocketDigest => ({
  tcp: {},
  tcpTotal: 0,
  udpTotal: 0,
  unixTotal: 0,
  listeners: [],
  ports: [],
  connections: [],
  pickedCounts: {},
  udp: [],
  unix: [],
  localPairs: [],
  ...parts,
});

const hostReading = (parts: Partial<HostReading> = {}): HostReading => ({
  cpus: [],
  softnet: [],
  softirqs: {},
  softirqCpus: [],
  interrupts: {},
  interruptCpus: [],
  pressure: {},
  memory: {},
  vmstat: {},
  cgroups: [],
  processes: [],
  threads: [],
  ...parts,
});

const reading = (parts: ReadingParts, monotonicMs: number) => ({
  monotonicMs,
  host: hostReading(parts.host),
  netns: [
    {
      id: NETNS,
      counters: {},
      sockstat: {},
      neighbours: [],
      links: [],
      sockets: digest(parts.sockets),
      ...parts.net,
    },
  ],
});

/** A snapshot of a quiet two-CPU host with what the test is about laid over it. */
export function snapshotOf(parts: SnapshotParts = {}): Snapshot {
  const windowMs = parts.windowMs ?? (parts.first ? 1000 : 0);
  const last = reading(parts.last ?? {}, 100_000 + windowMs);
  return {
    format: 'sockdoc-snapshot',
    schemaVersion: 1,
    version: '0.0.0-test',
    takenAt: '2026-01-01T00:00:00.000Z',
    durationMs: windowMs,
    windowMs,
    redacted: false,
    selection: {},
    self: [],
    host: {
      hostname: 'test',
      kernel: '6.18.0',
      arch: 'x64',
      cpus: [{ cpu: 0 }, { cpu: 1 }],
      memoryBytes: 8 * 2 ** 30,
      pageBytes: 4096,
      numaNodes: 1,
      effectiveUid: 0,
      capabilities: [],
      sysctls: {},
      settingOwners: [],
      features: {},
      ...parts.host,
    },
    netns: [
      { id: NETNS, initial: true, current: true, sysctls: {}, links: [], addresses: [], routes: [], ...parts.net },
    ],
    readings: parts.first ? [reading(parts.first, 100_000), last] : [last],
    observed: {},
    gaps: [],
    ...parts.snapshot,
  };
}

export const listenerOf = (parts: Partial<Listener> = {}): Listener => ({
  local: '0.0.0.0:8080',
  port: 8080,
  cookie: '1',
  inode: 1001,
  uid: 0,
  queue: 0,
  backlog: 128,
  drops: 0,
  synReceived: 0,
  owners: [{ pid: 42, comm: 'server', fd: 3 }],
  ownerCount: 1,
  connections: 0,
  serving: [],
  servingCount: 0,
  ...parts,
});

export const connectionOf = (parts: Partial<Connection> = {}): Connection => ({
  local: '10.0.0.1:8080',
  remote: '10.0.0.2:40000',
  state: 'established',
  cookie: '2',
  inode: 1002,
  uid: 0,
  pid: 42,
  comm: 'server',
  fd: 4,
  ownerCount: 1,
  picked: ['traffic'],
  sendQueueBytes: 0,
  recvQueueBytes: 0,
  ...parts,
});

export const processOf = (parts: Partial<Process> = {}): Process => ({
  pid: 42,
  ppid: 1,
  comm: 'server',
  startTicks: 1000,
  uid: 0,
  netns: NETNS,
  threads: 1,
  children: 0,
  tcp: {},
  udp: 0,
  unix: 0,
  ...parts,
});

export const threadOf = (parts: Partial<Thread> = {}): Thread => ({
  pid: 42,
  tid: 42,
  comm: 'server',
  startTicks: 1000,
  state: 'S',
  cpu: 0,
  ...parts,
});

export const linkOf = (parts: Partial<Link> = {}): Link => ({
  index: 2,
  name: 'eth0',
  type: 'ether',
  up: true,
  operState: 'up',
  mtu: 1500,
  ...parts,
});

export const linkCountersOf = (parts: Partial<LinkCounters> = {}): LinkCounters => ({
  name: 'eth0',
  standard: {},
  qdiscs: [],
  ...parts,
});

export const qdiscOf = (parts: Partial<LinkCounters['qdiscs'][number]> = {}): LinkCounters['qdiscs'][number] => ({
  kind: 'pfifo_fast',
  handle: '0:',
  parent: 'root',
  bytes: 0,
  packets: 0,
  drops: 0,
  overlimits: 0,
  requeues: 0,
  backlogBytes: 0,
  backlogPackets: 0,
  ...parts,
});

export const routeOf = (parts: Partial<Route> = {}): Route => ({
  family: 'inet',
  destination: 'default',
  interface: 'eth0',
  ...parts,
});

export const memoryOf = (parts: Partial<SocketMemory> = {}): SocketMemory => ({
  receiveAlloc: 0,
  receiveBuffer: 212_992,
  sendAlloc: 0,
  sendBuffer: 212_992,
  forwardAlloc: 0,
  sendQueued: 0,
  optionMemory: 0,
  backlog: 0,
  drops: 0,
  ...parts,
});

export const udpSocketOf = (parts: Partial<UdpSocket> = {}): UdpSocket => ({
  local: '0.0.0.0:5353',
  inode: 1003,
  cookie: '3',
  uid: 0,
  pid: 42,
  comm: 'server',
  fd: 7,
  recvQueueBytes: 0,
  sendQueueBytes: 0,
  ...parts,
});

export const unixSocketOf = (parts: Partial<UnixSocket> = {}): UnixSocket => ({
  path: '/run/test.sock',
  type: 'stream',
  inode: 1004,
  listening: true,
  queue: 0,
  pid: 42,
  comm: 'server',
  fd: 3,
  ...parts,
});

/** Files by path with their keys, one per line, in the order in which they are applied; "-key" ignores errors. */
export function sysctlFilesOf(files: Record<string, Record<string, string>>): SysctlFiles {
  const names = Object.keys(files);
  return {
    assignments: names.flatMap((file) =>
      Object.entries(files[file] ?? {}).map(([key, value], at) => ({
        key: key.replace(/^-/, ''),
        value,
        file,
        line: at + 1,
        ignoreErrors: key.startsWith('-'),
        glob: /[*?[]/.test(key),
      })),
    ),
    order: { systemd: names.filter((name) => name !== '/etc/sysctl.conf'), procps: names },
    masked: [],
  };
}
