import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Gap } from '../model/gap.js';
import type {
  Address,
  DropCount,
  HostFacts,
  KernelLogEntry,
  Link,
  LinkCounters,
  Process,
  RdmaMaxima,
  Route,
  SelectSample,
  SocketDigest,
  Thread,
} from '../model/snapshot/index.js';
import type { DescriptorDetail } from '../model/views/descriptors.js';
import type { SchedulerView } from '../model/views/scheduler.js';
import type { ShortLived } from '../model/views/short-lived.js';

const ABI_VERSION = 12;

export interface FilesRequest {
  /**
   * Network namespace to enter: "/run/netns/NAME" or "/proc/PID/ns/net"; "new": one that is made for this and gone
   * afterwards; left out: our own.
   */
  netns?: string;
  /** Mount a /sys that shows the devices of that namespace. */
  ownSysfs?: boolean;
  files?: string[];
  /** Patterns as in glob(7): every file that matches is read. */
  fileGlobs?: string[];
  /** Folders read recursively. */
  trees?: string[];
  /** Names of folders inside trees to leave out. */
  skip?: string[];
  links?: string[];
  linkGlobs?: string[];
  /** Patterns whose matches are wanted by name only. */
  pathGlobs?: string[];
}

export interface FilesAnswer {
  files: Record<string, string>;
  links: Record<string, string>;
  paths: string[];
  /** errno names ("ENOENT") by path. */
  errors: Record<string, string>;
  gaps: Gap[];
}

export interface FeaturesAnswer {
  features: HostFacts['features'];
  /** CPUID's signature, "KVMKVMKVM"; empty on bare metal; absent where the CPU has no CPUID. */
  hypervisor?: string;
  pageBytes: number;
  gaps: Gap[];
}

export interface SocketsRequest {
  /** Network namespaces to read: "/run/netns/NAME", "/proc/PID/ns/net", or "" for our own. */
  netns: string[];
  /** Every connection of these processes is a row, and they are reported even without sockets. */
  pids?: number[];
  /** sockdoc's own processes: their connections are never picked. */
  selfPids: number[];
  /**
   * False at a reading that only begins a window: no connection rows, and nothing of what is expensive and does not
   * move (epoll sets, CLOEXEC, socket options). Default true.
   */
  rows?: boolean;
  /** From now until the next reading, sample which threads sit in select(). Default false. */
  sampleSelect?: boolean;
}

export interface SocketsAnswer {
  /** CLOCK_MONOTONIC when the reading began. */
  monotonicMs: number;
  /**
   * In the order of the request; without `sockets` where the namespace could not be read (a gap says why), and where it
   * is the same as an earlier one.
   */
  netns: { path: string; id?: string; sockets?: SocketDigest }[];
  host: {
    processes: Process[];
    threads: Thread[];
    /** Watches counted per uid, from the epoll sets that were read; absent without rows. */
    epollWatches?: Record<string, number>;
  };
  /** `selects` after a reading that asked for sampling. */
  observed: { selects?: SelectSample[] };
  gaps: Gap[];
}

export interface LinksRequest {
  /** Network namespace to enter; left out: our own. */
  netns?: string;
  /** Only what moves. */
  countersOnly?: boolean;
  /** Of what moves only what rtnetlink has: without the statistics of the drivers, which may be thousands. */
  standardOnly?: boolean;
  /** Do without ethtool's netlink family, as on kernels before 5.6; for tests of that way. */
  ethtoolIoctlOnly?: boolean;
}

export interface LinkCountersAnswer {
  counters: LinkCounters[];
  gaps: Gap[];
}

/** `links` without what only sysfs knows: src/probes/links.ts adds that. */
export interface LinksAnswer extends LinkCountersAnswer {
  links: Link[];
  addresses: Address[];
  routes: Route[];
}

export interface DescriptorsRequest {
  /** Only these processes; left out: all that may be seen. */
  pids?: number[];
  /** Also every descriptor of the first of them, with its other end. */
  detail?: boolean;
  /** Read epoll sets of processes with very many descriptors too, which holds these up. */
  allWatches?: boolean;
}

/** Descriptors of one process by kind, its sockets by protocol and state. */
export interface ProcessDescriptors
  extends Pick<
    Process,
    'pid' | 'ppid' | 'comm' | 'uid' | 'startTicks' | 'netns' | 'children' | 'descriptors' | 'tcp' | 'udp' | 'unix'
  > {
  /** False: its network namespace could not be read, `tcp` and the like do not count. */
  socketsRead: boolean;
  epollSets: number;
  kinds: Record<string, number>;
}

export interface DescriptorsAnswer {
  monotonicMs: number;
  /** Without those whose descriptors may not be read. */
  processes: ProcessDescriptors[];
  /** Of `pids`: those whose descriptors may not be read. */
  denied: number[];
  descriptors?: DescriptorDetail[];
  gaps: Gap[];
}

export interface KernelLogAnswer {
  /** The whole log buffer of the kernel, oldest first; what programs wrote into it is left out. */
  entries: KernelLogEntry[];
  gaps: Gap[];
}

export interface DropsAnswer {
  /** Most first; absent where drops could not be counted. */
  drops?: DropCount[];
  gaps: Gap[];
}

/** A device as libibverbs opens it; `errno` (a name, "EACCES") where it could not be opened. */
export interface VerbsDevice {
  name: string;
  error?: string;
  errno?: string;
  maxima?: RdmaMaxima;
  ports?: { port: number; activeMtu: number; maxMtu: number }[];
}

/** What RDMA netlink and libibverbs say: src/probes/rdma.ts adds sysfs. */
export interface RdmaAnswer {
  netlink: boolean;
  devices: {
    name: string;
    driver?: string;
    ports: { port: number; interface?: string }[];
    /** In use now, by kind. */
    resources?: Record<string, number>;
  }[];
  /** `devices` of those that have a provider in user space. */
  verbs: { library?: string; error?: string; devices?: VerbsDevice[] };
  gaps: Gap[];
}

export interface EventsRequest {
  /** Do without BPF, as where it is not permitted; for tests of that way. */
  destroyEventsOnly?: boolean;
}

/** Sockets that ended, by end and port. `port` is the listener's, on either side. */
export interface EndedGroup {
  side: 'connecting' | 'accepting';
  /**
   * Of the process that connected, or that began to listen, where it was seen to; it may have ended. Absent, beside a
   * `comm`, where our PID namespace has other numbers.
   */
  pid?: number;
  comm?: string;
  port: number;
  count: number;
  /** Payload, over their whole lives. */
  bytesSent: number;
  bytesReceived: number;
}

/** What ended since the reading of the events before. */
export interface EventsAnswer {
  source: ShortLived['source'];
  windowMs: number;
  /** In the order of the request, those that could be subscribed to. */
  netns: {
    path: string;
    /** Inode number. */
    id: string;
    /** Sockets of connections. `groups` holds fewer where their ports are not known. */
    ended: number;
    /** Of these: no reading ever showed them. Absent where that is not known. */
    unseen?: number;
    /** Attempts to connect that came to nothing. */
    failed?: number;
    /** The kernel dropped events: all counts are lower bounds. */
    lost: boolean;
    groups: EndedGroup[];
  }[];
  /** Those of the start, which hold for every reading. */
  gaps: Gap[];
}

interface NativeConnectionEvents {
  start(request: EventsRequest & { netns: readonly string[] }): Promise<string>;
  read(): Promise<string>;
  stop(): void;
}

export interface SchedulerRequest {
  /** Threads of these processes only; left out: of all. */
  pids?: number[];
  /** Processes that hold internet sockets: their threads come first and get a histogram each. */
  socketPids: number[];
  /** sockdoc's own processes: their threads are left out unless asked for in `pids`. */
  selfPids: number[];
  /** Threads in the answer, at most 4096. Default 100. */
  limit?: number;
}

export interface SchedulerAnswer {
  /** From the reading before to this one; 0 at the first, which has neither rates nor histograms. */
  windowMs: number;
  scheduler: SchedulerView;
  gaps: Gap[];
}

interface NativeSchedulerProbe {
  start(): Promise<string>;
  read(request: SchedulerRequest): Promise<string>;
  stop(): Promise<string>;
}

/** Samples of one process; those in interrupts count nowhere. */
export interface SocketShareSamples {
  pid: number;
  samples: number;
  /** Of `samples`: in the kernel. */
  kernel: number;
  /** Of `kernel`: in a system call of sockets, a read or write of one, or epoll. */
  socket: number;
}

export interface SocketShareAnswer {
  /** Since the call before, or start(); absent, as the processes, where nothing is sampled. */
  windowMs?: number;
  /** Those that were asked for and had samples. */
  processes?: SocketShareSamples[];
  gaps: Gap[];
}

interface NativeSocketShareProbe {
  start(): Promise<string>;
  read(request: { pids: number[] }): Promise<string>;
  stop(): Promise<string>;
}

/** What the last arguments of our own command line would run. */
export interface CommandAnswer {
  /** As execve(2) takes it. */
  path: string;
  /** It cannot run: the errno value (ENOENT: nothing has this name), and what the system says of it. */
  errno?: number;
  message?: string;
  /** Why libsd cannot come into it, going on from "PATH …", and the file that this is about: a script's interpreter. */
  why?: string;
  judged?: string;
  /** LD_PRELOAD would disturb it, rather than do nothing. */
  loaderMinds?: boolean;
}

export interface ReplaceRequest {
  /** How many of our last arguments are the command. */
  count: number;
  /** Names of variables that it does not get, and NAME=VALUE that it gets, beside what was given to us. */
  drop: string[];
  set: string[];
  /** Descriptors that were open when we began. */
  openAtStart: number[];
  /** Of the standard streams: which had O_NONBLOCK when we began, and which had not. */
  nonblocking: number[];
  blocking: number[];
}

interface NativeDropProbe {
  start(): Promise<string>;
  stop(): Promise<string>;
}

interface NativeSocketProbe {
  read(request: SocketsRequest): Promise<string>;
  close(): void;
}

/** JSON texts: what is small, and the rows as bytes, which need not become values to be written out. */
interface NativeConnectionsAnswer {
  head: string;
  rows: Buffer;
}

interface NativeConnectionTable {
  read(request: object): Promise<NativeConnectionsAnswer>;
  select(selection: object): Promise<NativeConnectionsAnswer>;
}

export interface SettingFileRequest {
  netns?: string;
  /** Through a /sys that shows the devices of that namespace. */
  ownSysfs?: boolean;
  path: string;
  /** Left out: only whether the file could be opened for writing. */
  text?: string;
}

export interface EthtoolSetRequest {
  netns?: string;
  link: string;
  /** As in the snapshot's Link: "rings.rx", "coalescing.adaptiveRx", "features.rx-gro". */
  field: string;
  /** A number; 0 and 1 for off and on. */
  value: number;
}

export interface LimitRequest {
  pid: number;
  resource: string;
  /** Numbers as text, or "unlimited". */
  soft: string;
  hard: string;
}

/** `errno` (a name, "EACCES") where it was not done. */
export interface WriteAnswer {
  errno?: string;
  /** What was being done. */
  what?: string;
}

export interface NetnsIdentityAnswer extends WriteAnswer {
  id?: string;
  /** Never used again until the host is restarted; Linux 5.14. */
  cookie?: string;
}

/** What the addon exports; each function answers with one JSON document. */
interface Addon {
  abiVersion: number;
  files(request: FilesRequest): Promise<string>;
  links(request: LinksRequest): Promise<string>;
  descriptors(request: DescriptorsRequest): Promise<string>;
  features(): Promise<string>;
  kernelLog(): Promise<string>;
  inspectCommand(count: number): string;
  replaceProcess(request: ReplaceRequest): string;
  rdma(): Promise<string>;
  writeSettingFile(request: SettingFileRequest): Promise<string>;
  setEthtool(request: EthtoolSetRequest): Promise<string>;
  setLimit(request: LimitRequest): Promise<string>;
  netnsIdentity(netns: string): Promise<string>;
  tryLock(fd: number): boolean;
  ConnectionTable: new () => NativeConnectionTable;
  DropProbe: new () => NativeDropProbe;
  SchedulerProbe: new () => NativeSchedulerProbe;
  SocketShareProbe: new () => NativeSocketShareProbe;
  ConnectionEvents: new () => NativeConnectionEvents;
  SocketProbe: new () => NativeSocketProbe;
}

let loaded: Addon | undefined;

/** The one loader of the native addon. */
function addon(): Addon {
  if (loaded) return loaded;
  const path = fileURLToPath(new URL('../../build/release/sockdoc.node', import.meta.url));
  if (!existsSync(path)) throw new Error(`the native part is missing (${path}): run npm run build`);
  const candidate = createRequire(import.meta.url)(path) as Addon;
  if (candidate.abiVersion !== ABI_VERSION) {
    throw new Error(
      `the native part is of another build (version ${candidate.abiVersion}, expected ${ABI_VERSION}): run npm run build`,
    );
  }
  loaded = candidate;
  return candidate;
}

/** Throws when the native part is missing or of another build. */
export function requireNative(): void {
  addon();
}

/** Reads files inside a network namespace. */
export async function readFiles(request: FilesRequest): Promise<FilesAnswer> {
  return JSON.parse(await addon().files(request)) as FilesAnswer;
}

/** Links, addresses and routes of a network namespace, and the counters of the links. */
export async function readLinks(request: Omit<LinksRequest, 'countersOnly'>): Promise<LinksAnswer> {
  return JSON.parse(await addon().links(request)) as LinksAnswer;
}

/** Only the counters of the links of a network namespace. */
export async function readLinkCounters(request: Omit<LinksRequest, 'countersOnly'>): Promise<LinkCountersAnswer> {
  return JSON.parse(await addon().links({ ...request, countersOnly: true })) as LinkCountersAnswer;
}

/** What processes have open. */
export async function readDescriptors(request: DescriptorsRequest): Promise<DescriptorsAnswer> {
  return JSON.parse(await addon().descriptors(request)) as DescriptorsAnswer;
}

/** What only a system call can tell about this kernel. */
export async function readFeatures(): Promise<FeaturesAnswer> {
  return JSON.parse(await addon().features()) as FeaturesAnswer;
}

/** The kernel's log as it stands. */
export async function readKernelLog(): Promise<KernelLogAnswer> {
  return JSON.parse(await addon().kernelLog()) as KernelLogAnswer;
}

/** What the last `count` of our arguments would run, found as shells find it, and whether libsd can come into it. */
export const inspectCommand = (count: number): CommandAnswer => JSON.parse(addon().inspectCommand(count));

/**
 * Becomes that command: the same process, with the signals, limits and descriptors that were given to us. Comes back
 * only with the reason why it cannot be.
 */
export const replaceProcess = (request: ReplaceRequest): string => addon().replaceProcess(request);

/** RDMA devices by netlink and verbs. */
export async function readRdma(): Promise<RdmaAnswer> {
  return JSON.parse(await addon().rdma()) as RdmaAnswer;
}

/** Writes one setting into its file, whole; never makes a file. */
export async function writeSettingFile(request: SettingFileRequest): Promise<WriteAnswer> {
  return JSON.parse(await addon().writeSettingFile(request)) as WriteAnswer;
}

/** Sets one field of a link; the driver may round it, and change others. Needs CAP_NET_ADMIN and Linux 5.8. */
export async function setEthtool(request: EthtoolSetRequest): Promise<WriteAnswer> {
  return JSON.parse(await addon().setEthtool(request)) as WriteAnswer;
}

/** prlimit(2). */
export async function setLimit(request: LimitRequest): Promise<WriteAnswer> {
  return JSON.parse(await addon().setLimit(request)) as WriteAnswer;
}

/** Which network namespace a path leads to; "" is our own. */
export async function netnsIdentityOf(netns: string): Promise<NetnsIdentityAnswer> {
  return JSON.parse(await addon().netnsIdentity(netns)) as NetnsIdentityAnswer;
}

/** flock(2) without waiting; false: somebody else has it. It is held until the descriptor is closed. */
export function tryLock(fd: number): boolean {
  return addon().tryLock(fd);
}

/**
 * Counts the packets that the kernel drops, by reason and place, on the whole host. Costs a fraction of a microsecond
 * per dropped packet and nothing for others. Needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, and Linux 5.17.
 */
export class DropProbe {
  readonly #native = new (addon().DropProbe)();

  /** Begins to count; the answer has only gaps. */
  async start(): Promise<DropsAnswer> {
    return JSON.parse(await this.#native.start()) as DropsAnswer;
  }

  /** Ends it. Nothing is left behind in the kernel, not even when the process dies instead. */
  async stop(): Promise<DropsAnswer> {
    return JSON.parse(await this.#native.stop()) as DropsAnswer;
  }
}

/** For src/probes/connections.ts, which says what it takes and gives. */
export const nativeConnectionTable = (): NativeConnectionTable => new (addon().ConnectionTable)();

/**
 * What the scheduler does, from one reading to the next. With start() BPF programs at the scheduler's tracepoints give
 * histograms; where they are not to be had, each answer has a gap that says why, and `source` is "procfs". Needs CAP_BPF
 * and CAP_PERFMON, or CAP_SYS_ADMIN, and Linux 5.11 with BTF. Calls wait for each other.
 */
export class SchedulerProbe {
  readonly #native = new (addon().SchedulerProbe)();

  /** Attaches the programs. They cost some 0.3 µs per context switch of the host while they are there. */
  async start(): Promise<void> {
    await this.#native.start();
  }

  async read(request: SchedulerRequest): Promise<SchedulerAnswer> {
    return JSON.parse(await this.#native.read(request)) as SchedulerAnswer;
  }

  /** Detaches them. Nothing is left behind in the kernel, not even when the process dies instead. */
  async stop(): Promise<void> {
    await this.#native.stop();
  }
}

/**
 * How much of their CPU time processes spend in the kernel's socket path, by 199 samples per second of each busy CPU. A
 * share of p from n samples is off by less than 2·√(p(1−p)/n) in 19 of 20 cases. Needs CAP_PERFMON and CAP_SYSLOG, or
 * CAP_SYS_ADMIN; without them each answer has a gap that says so.
 */
export class SocketShareProbe {
  readonly #native = new (addon().SocketShareProbe)();

  /** Begins to sample; costs about 50 ms of CPU time once per process. */
  async start(): Promise<void> {
    await this.#native.start();
  }

  async read(pids: number[]): Promise<SocketShareAnswer> {
    return JSON.parse(await this.#native.read({ pids })) as SocketShareAnswer;
  }

  /** Ends the sampling. Nothing is left behind in the kernel, not even when the process dies instead. */
  async stop(): Promise<void> {
    await this.#native.stop();
  }
}

/**
 * Sockets joined with the processes that hold them. Each reading is compared with the one before it (by socket
 * cookie): the first has no `window` numbers. Readings of one probe run one after the other.
 */
export class SocketProbe {
  readonly #native = new (addon().SocketProbe)();

  async read(request: SocketsRequest): Promise<SocketsAnswer> {
    return JSON.parse(await this.#native.read(request)) as SocketsAnswer;
  }

  /** Ends the sampling of select(), where it runs. Dropping the probe does it too, but later. */
  close(): void {
    this.#native.close();
  }
}

/**
 * Counts TCP sockets that end, however short they lived, from the kernel's events; idle it costs nothing. Windows go from
 * start() to read() and from read() to read(): call it after the reading of the sockets. `shortLivedOf` of
 * connection-events.ts makes the view of its answers.
 */
export class ConnectionEvents {
  readonly #native = new (addon().ConnectionEvents)();

  /** Begins, in these namespaces ("/run/netns/NAME", "/proc/PID/ns/net", or "" for our own). */
  async start(netns: readonly string[], request: EventsRequest = {}): Promise<{ gaps: Gap[] }> {
    return JSON.parse(await this.#native.start({ ...request, netns }));
  }

  async read(): Promise<EventsAnswer> {
    return JSON.parse(await this.#native.read()) as EventsAnswer;
  }

  /** Ends it. Nothing is left behind in the kernel, not even when the process dies instead. */
  stop(): void {
    this.#native.stop();
  }
}
