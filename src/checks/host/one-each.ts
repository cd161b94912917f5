import type { Listener, Process, ServingProcess, Thread } from '../../model/snapshot/index.js';
import type { NetContext } from '../check.js';

/** A server that gives each connection a process or a thread. */
export interface OneEach {
  kind: 'process' | 'thread';
  listener: Listener;
  /** The parent of the processes, or the process of the threads. */
  pid: number;
  comm: string;
  count: number;
  /** How many of the processes began within the window. */
  born: number;
  /** Their pids or thread ids. */
  members: number[];
}

/** Calls that wait for several descriptors at once: whoever sits in one can serve more than one connection. */
const WAITS_FOR_MANY = /^(epoll_p?wait2?|p?poll|_newselect|select|pselect6|io_uring_enter)$/;
const WAITS_WITH_EPOLL = /^(epoll_p?wait2?|io_uring_enter)$/;
const ACCEPTS = /^accept4?$/;
/** Calls that block on one socket; read and write are only counted for descriptors that the kernel waits on as sockets. */
const BLOCKS_ON_SOCKET = /^(recvfrom|recvmsg|sendto|sendmsg)$/;
const BLOCKS_ON_ANY = /^(read|readv|write|writev)$/;
const SOCKET_WAIT = /^(wait_woken|sk_wait_data|sk_stream_wait_memory|tcp_recvmsg|inet_csk_wait)/;

/** Children of one parent that hold one connection of a listener each, and cannot take another. */
export function forkedServers(context: NetContext, listener: Listener): OneEach[] {
  const families = new Map<string, ServingProcess[]>();
  for (const serving of listener.serving) {
    const key = `${serving.ppid}/${serving.comm}`;
    families.set(key, [...(families.get(key) ?? []), serving]);
  }
  return [...families.values()].flatMap((family) => forkedServer(context, listener, family));
}

function forkedServer(context: NetContext, listener: Listener, family: ServingProcess[]): OneEach[] {
  if (family.some((child) => child.connections > 1)) return [];
  const single = family.filter((child) => isJudged(context, child.pid) && !takesMore(context, listener, child.pid));
  const loops = single.filter((child) => calls(context, child.pid).some((name) => WAITS_WITH_EPOLL.test(name)));
  const [first] = single;
  if (!first) return [];
  // A pool of event loops with one connection each by chance is no larger than the number of CPUs, as a rule.
  if (loops.length > 0 && single.length <= context.host.facts.cpus.length) return [];
  const parent = context.host.process(first.ppid);
  const shownAll = listener.serving.length >= listener.servingCount;
  return [
    {
      kind: 'process',
      listener,
      pid: first.ppid,
      comm: parent?.comm ?? first.comm,
      count: shownAll || single.length < listener.serving.length ? single.length : listener.servingCount,
      born: context.host.first ? single.filter((child) => isNew(context, child.pid)).length : 0,
      members: single.map((child) => child.pid),
    },
  ];
}

const isJudged = ({ host, snapshot }: NetContext, pid: number): boolean => {
  const { pids } = snapshot.selection;
  const parent = host.process(pid)?.ppid;
  return (
    !snapshot.self.includes(pid) && (!pids || pids.includes(pid) || (parent !== undefined && pids.includes(parent)))
  );
};

const isNew = ({ host }: NetContext, pid: number): boolean =>
  host.processes.some((pair) => pair.last.pid === pid && !pair.first);

/** A worker that holds the listener itself, and waits for many descriptors or in accept(): its next client may come. */
function takesMore(context: NetContext, listener: Listener, pid: number): boolean {
  const process = context.host.process(pid);
  if (watches(process, listener)) return true;
  const holds = listener.owners.some((owner) => owner.pid === pid) || (process?.tcp.listen ?? 0) > 0;
  return holds && calls(context, pid).some((name) => WAITS_FOR_MANY.test(name) || ACCEPTS.test(name));
}

const watches = (process: Process | undefined, listener: Listener): boolean =>
  (process?.epollSets ?? []).some((set) => set.listeners.some((watched) => watched.inode === listener.inode));

const calls = ({ host }: NetContext, pid: number): string[] =>
  host.threadsOf(pid).flatMap((thread) => (thread.call ? [thread.call.name] : []));

/** Processes in which many threads are blocked, each on a connection of its own. */
export function threadedServers(context: NetContext, listeners: readonly Listener[]): OneEach[] {
  const largest = new Map<number, { listener: Listener; serving: ServingProcess }>();
  for (const listener of listeners) {
    for (const serving of listener.serving) {
      const known = largest.get(serving.pid);
      if (!known || serving.connections > known.serving.connections) largest.set(serving.pid, { listener, serving });
    }
  }
  return [...largest.values()].flatMap(({ listener, serving }) => threadedServer(context, listener, serving));
}

function threadedServer(context: NetContext, listener: Listener, serving: ServingProcess): OneEach[] {
  if (!isJudged(context, serving.pid)) return [];
  const descriptors = new Map<number, number>();
  for (const thread of context.host.threadsOf(serving.pid)) {
    if (thread.call && blocksOnConnection(thread)) descriptors.set(thread.call.arg0, thread.tid);
  }
  const count = Math.min(descriptors.size, serving.connections);
  // Most of its connections must be served so; a few blocked helper threads do not make the design.
  if (2 * count < serving.connections) return [];
  const { pid, comm } = serving;
  return [{ kind: 'thread', listener, pid, comm, count, born: 0, members: [...descriptors.values()] }];
}

function blocksOnConnection({ call, waitChannel }: Thread): boolean {
  if (!call) return false;
  return BLOCKS_ON_SOCKET.test(call.name) || (BLOCKS_ON_ANY.test(call.name) && SOCKET_WAIT.test(waitChannel ?? ''));
}
