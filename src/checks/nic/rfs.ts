import type { Connection, Thread } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, needsWindow, notApplicable, pass } from '../findings.js';
import { hostSysctl, hostSysctlEvidence } from './host-sysctl.js';
import { linksOf, type Nic } from './nics.js';

const ENTRIES = 'net.core.rps_sock_flow_entries';
const WANTED = 32_768;

export const rfs = defineCheck({
  id: 'rfs',
  title: 'Flows and their programs on different CPUs',
  category: 'nic',
  scope: 'netns',
  priority: 25,
  thresholds: {
    connections: { default: 8, unit: 'connections', description: 'Fewer with traffic from outside are not judged.' },
    segmentsPerSecond: {
      default: 1000,
      unit: 'segments/s',
      description: 'What they must receive together for their caches to matter.',
    },
    mismatchPercent: { default: 75, unit: '%', description: 'Share of them whose program ran on another CPU.' },
  },
  page: {
    mechanism:
      'Receive flow steering (RFS) remembers on which CPU a program last read a flow and processes the packets of the flow there, so that they are still in its cache. Without it the CPU is chosen by a hash.',
    reads:
      'SO_INCOMING_CPU of connections with traffic against the CPU on which their thread ran last; net.core.rps_sock_flow_entries and rps_flow_cnt of the receive queues. Connections from this host itself are left out.',
    threshold:
      'info, never more: at least 8 judged connections that receive 1000 segments a second together, 75 % of them with their thread on another CPU. Only processes of one thread, or threads seen waiting on that descriptor, can be judged.',
    why: 'Packets are processed in the cache of one CPU and read on another.',
    remedy: 'Turn RFS on: a table for the host, and its share for each receive queue.',
    risk: 'Inter-processor interrupts; no gain where threads wander between CPUs.',
    undo: 'Set net.core.rps_sock_flow_entries and rps_flow_cnt back to 0.',
    needs: 'nothing',
    tune: { keys: ['net.core.rps_sock_flow_entries', '/sys/class/net/*/queues/*/rps_flow_cnt'] },
    sources: ['https://docs.kernel.org/networking/scaling.html (RFS)', 'socket(7): SO_INCOMING_CPU'],
  },
  judge({ net, host, snapshot, threshold }: NetContext): Finding[] {
    if (!net.windowMs) return [needsWindow()];
    if (host.facts.cpus.length < 2) return [notApplicable('one CPU')];
    const own = new Set(net.facts.addresses.map(({ address }) => address));
    const pairs = (net.last.sockets?.connections ?? [])
      .filter((connection) => fromOutside(connection, own))
      .flatMap((connection) => placed(connection, host.last.threads));
    if (pairs.length < threshold('connections'))
      return [
        notApplicable(`${pairs.length} connections with traffic from outside whose thread is known: too few to judge`),
      ];
    const segments = pairs.reduce((sum, { connection }) => sum + (connection.window?.segmentsIn ?? 0), 0);
    const rate = Math.round((segments * 1000) / net.windowMs);
    if (rate < threshold('segmentsPerSecond'))
      return [notApplicable(`${rate} segments a second on ${pairs.length} connections: too few for it to matter`)];
    const apart = pairs.filter(({ incoming, thread }) => incoming !== thread.cpu);
    const percent = Math.round((100 * apart.length) / pairs.length);
    const words = `${apart.length} of ${pairs.length} connections are received on another CPU than their program runs on`;
    const evidence = [
      { source: 'SO_INCOMING_CPU', key: 'elsewhere', value: percent, unit: '%', scope: 'now' as const },
      ...hostSysctlEvidence(snapshot, ENTRIES),
    ];
    if (percent < threshold('mismatchPercent')) return [pass(words, evidence)];
    return [info(words, evidence, { remedy: remedyFor(linksOf(net), hostSysctl(snapshot, ENTRIES)) })];
  },
});

function fromOutside({ remote, window, options }: Connection, own: ReadonlySet<string>): boolean {
  const address = remote
    .slice(0, remote.lastIndexOf(':'))
    .replace(/^\[|\]$/g, '')
    .replace(/^::ffff:/, '');
  const local = own.has(address) || address.startsWith('127.') || address === '::1';
  return !local && (window?.segmentsIn ?? 0) > 0 && (options?.incomingCpu ?? -1) >= 0;
}

interface Placed {
  connection: Connection;
  incoming: number;
  thread: Thread;
}

/** The thread that reads it: the only one of its process, or one that waits on its descriptor. */
function placed(connection: Connection, threads: readonly Thread[]): Placed[] {
  const { pid, fd, options } = connection;
  const incoming = options?.incomingCpu;
  if (pid === undefined || incoming === undefined) return [];
  const own = threads.filter((thread) => thread.pid === pid);
  const waiting = own.filter(({ call }) => call !== undefined && call.arg0 === fd && /^(recv|read)/.test(call.name));
  const [thread, ...others] = own.length === 1 ? own : waiting;
  return thread && others.length === 0 ? [{ connection, incoming, thread }] : [];
}

function remedyFor(nics: readonly Nic[], entries: number | undefined) {
  const queues = nics.flatMap(({ link }) =>
    (link.rxQueueList ?? []).map((queue) => ({
      file: `/sys/class/net/${link.name}/queues/rx-${queue.index}/rps_flow_cnt`,
      now: queue.flowCount,
    })),
  );
  const share = Math.max(1, Math.floor(WANTED / Math.max(1, queues.length)));
  const off = queues.filter(({ now }) => now === 0);
  const table = entries === 0 ? [{ key: ENTRIES, from: '0', to: String(WANTED) }] : [];
  return {
    summary:
      entries !== undefined && entries > 0 && off.length === 0
        ? 'RFS is on already: pin threads, or give each CPU its own listener (SO_REUSEPORT with SO_INCOMING_CPU)'
        : 'Turn on receive flow steering',
    commands: [
      ...table.map(({ key, to }) => `sysctl -w ${key}=${to}`),
      ...off.map(({ file }) => `echo ${share} > ${file}`),
    ],
    tunes: [...table, ...off.map(({ file }) => ({ key: file, from: '0', to: String(share) }))],
    ...(table.length + off.length > 0
      ? {
          undo: [...table.map(({ key }) => `sysctl -w ${key}=0`), ...off.map(({ file }) => `echo 0 > ${file}`)].join(
            '; ',
          ),
        }
      : {}),
  };
}
