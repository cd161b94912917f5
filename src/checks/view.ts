import type { Evidence, Subject } from '../model/results.js';
import type {
  HostFacts,
  HostReading,
  LinkCounters,
  NetnsFacts,
  NetnsReading,
  Process,
  Snapshot,
  Thread,
} from '../model/snapshot/index.js';

/** A process in both readings; `first` is absent when it began within the window or there was one reading. */
export interface Pair<T> {
  first?: T;
  last: T;
}

/** The host as checks see it: facts, the last reading, and what moved since the first. */
export interface HostView {
  facts: HostFacts;
  last: HostReading;
  first?: HostReading;
  /** Milliseconds between the readings as they really were; undefined with one reading. */
  windowMs?: number;
  /** Processes to judge: the selection, without sockdoc's own. */
  processes: Pair<Process>[];
  threads: Pair<Thread>[];
  process(pid: number): Process | undefined;
  /** The threads of a process at the last reading. */
  threadsOf(pid: number): readonly Thread[];
  /** A process as a subject of a finding. */
  subject(pid: number | undefined): Subject;
}

/** One network namespace as checks see it. */
export interface NetView {
  facts: NetnsFacts;
  last: NetnsReading;
  first?: NetnsReading;
  windowMs?: number;
  /** A counter by its nstat name at the last reading; undefined when the kernel lacks it. */
  total(counter: string): number | undefined;
  /** Its growth over the window; undefined without two readings or when the kernel lacks it. */
  delta(counter: string): number | undefined;
  /** Window and total of a counter as evidence, as far as they are known. */
  evidence(counter: string): Evidence[];
  sysctl(key: string): string | undefined;
  /** A sysctl that is one integer. */
  sysctlNumber(key: string): number | undefined;
  /** A sysctl of several integers ("4096 131072 6291456"). */
  sysctlNumbers(key: string): number[];
  sysctlEvidence(key: string): Evidence;
  links: Pair<LinkCounters>[];
  /** Processes to judge whose network namespace this is. */
  processes: Pair<Process>[];
}

/** Growth of a cumulative count; undefined when either end is, or when it ran backwards (it was reset). */
export function growth(first: number | undefined, last: number | undefined): number | undefined {
  if (first === undefined || last === undefined || last < first) return undefined;
  return last - first;
}

function counterSource(counter: string): string {
  if (/^(TcpExt|IpExt|MPTcpExt)/.test(counter))
    return counter.startsWith('TcpExt') || counter.startsWith('IpExt')
      ? '/proc/net/netstat'
      : '/proc/net/netstat (MPTcpExt)';
  if (/^(Ip6|Icmp6|Udp6|UdpLite6)/.test(counter)) return '/proc/net/snmp6';
  return '/proc/net/snmp';
}

function pairUp<T>(first: readonly T[] | undefined, last: readonly T[], key: (item: T) => string): Pair<T>[] {
  const before = new Map((first ?? []).map((item) => [key(item), item]));
  return last.map((item) => {
    const earlier = before.get(key(item));
    return earlier === undefined ? { last: item } : { first: earlier, last: item };
  });
}

const processKey = (p: Process) => `${p.pid}/${p.startTicks}`;
const threadKey = (t: Thread) => `${t.pid}/${t.tid}/${t.startTicks}`;

function ends(snapshot: Snapshot) {
  const last = snapshot.readings.at(-1);
  if (last === undefined) throw new Error('a snapshot without a reading');
  const first = snapshot.readings.length > 1 ? snapshot.readings[0] : undefined;
  return { first, last, ...(first ? { windowMs: last.monotonicMs - first.monotonicMs } : {}) };
}

export function hostView(snapshot: Snapshot): HostView {
  const { first, last, windowMs } = ends(snapshot);
  const judged = judgedPids(snapshot);
  const processes = pairUp(first?.host.processes, last.host.processes, processKey).filter((p) => judged(p.last.pid));
  const byPid = new Map(last.host.processes.map((p) => [p.pid, p]));
  const threads = new Map<number, Thread[]>();
  for (const thread of last.host.threads) {
    const known = threads.get(thread.pid);
    if (known) known.push(thread);
    else threads.set(thread.pid, [thread]);
  }
  return {
    facts: snapshot.host,
    last: last.host,
    ...(first ? { first: first.host } : {}),
    ...(windowMs !== undefined ? { windowMs } : {}),
    processes,
    threads: pairUp(first?.host.threads, last.host.threads, threadKey).filter((t) => judged(t.last.pid)),
    process: (pid) => byPid.get(pid),
    threadsOf: (pid) => threads.get(pid) ?? [],
    subject(pid) {
      if (pid === undefined) return {};
      const comm = byPid.get(pid)?.comm;
      return comm === undefined ? { pid } : { pid, comm };
    },
  };
}

/** Which processes a finding may be about: the selection, never sockdoc itself. */
export function judgedPids(snapshot: Snapshot): (pid: number) => boolean {
  const self = new Set(snapshot.self);
  const selected = snapshot.selection.pids ? new Set(snapshot.selection.pids) : undefined;
  return (pid) => !self.has(pid) && (selected === undefined || selected.has(pid));
}

export function netView(snapshot: Snapshot, id: string, host: HostView): NetView {
  const { first, last, windowMs } = ends(snapshot);
  const facts = snapshot.netns.find((n) => n.id === id);
  const lastNet = last.netns.find((n) => n.id === id);
  if (!facts || !lastNet) throw new Error(`namespace ${id} is not in the snapshot`);
  const firstNet = first?.netns.find((n) => n.id === id);
  const total = (counter: string) => lastNet.counters[counter];
  const delta = (counter: string) => growth(firstNet?.counters[counter], lastNet.counters[counter]);
  return {
    facts,
    last: lastNet,
    ...(firstNet ? { first: firstNet } : {}),
    ...(windowMs !== undefined ? { windowMs } : {}),
    total,
    delta,
    evidence(counter) {
      const source = counterSource(counter);
      const grown = delta(counter);
      const now = total(counter);
      const rows: Evidence[] = [];
      if (grown !== undefined) rows.push({ source, key: counter, value: grown, unit: '1', scope: 'window' });
      if (now !== undefined) rows.push({ source, key: counter, value: now, unit: '1', scope: 'total' });
      return rows;
    },
    sysctl: (key) => facts.sysctls[key],
    sysctlNumber(key) {
      const text = facts.sysctls[key];
      return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
    },
    sysctlNumbers: (key) => (facts.sysctls[key] ?? '').split(/\s+/).filter(Boolean).map(Number),
    sysctlEvidence: (key) => sysctlEvidence(key, facts.sysctls[key]),
    links: pairUp(firstNet?.links, lastNet.links, (l) => l.name),
    processes: host.processes.filter((p) => p.last.netns === undefined || p.last.netns === id),
  };
}

/** A sysctl's live value as evidence. */
export function sysctlEvidence(key: string, value: string | undefined): Evidence {
  return {
    source: `/proc/sys/${key.replaceAll('.', '\u0000').replaceAll('/', '.').replaceAll('\u0000', '/')}`,
    key,
    value: value ?? 'unreadable',
    unit: '',
    scope: 'now',
  };
}
