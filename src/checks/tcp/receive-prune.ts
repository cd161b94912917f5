import type { Connection } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, pass, warn } from '../findings.js';
import { growthOfAll, since } from './counters.js';
import { connectionName, connectionSubject, judgedConnections } from './sockets.js';

const CALLED = 'TcpExtPruneCalled';
const RECEIVE = 'TcpExtRcvPruned';
const OUT_OF_ORDER = 'TcpExtOfoPruned';
const COLLAPSED = 'TcpExtTCPRcvCollapsed';
const ALL = [CALLED, RECEIVE, OUT_OF_ORDER, COLLAPSED] as const;
/** A receive buffer that full is one that was, or is about to be, pruned. */
const FULL = 0.7;

export const receivePrune = defineCheck({
  id: 'receive-prune',
  title: 'Receive queues pruned',
  category: 'tcp',
  scope: 'netns',
  priority: 62,
  page: {
    mechanism:
      'When what has arrived for a socket takes more memory than its receive buffer, the kernel first copies small segments together (collapse), then throws away out-of-order segments that it had already acknowledged selectively (OfoPruned), and in the end drops what arrives (RcvPruned).',
    reads:
      'TcpExtPruneCalled, RcvPruned, OfoPruned and TCPRcvCollapsed in /proc/net/netstat, twice; queue, buffer and drops of the fullest connections by sock_diag.',
    threshold:
      'fail: RcvPruned or OfoPruned grew within the window (received data was thrown away). warn: PruneCalled grew. info: TCPRcvCollapsed alone grew, or RcvPruned or OfoPruned are above zero and did not move.',
    why: 'Data that has crossed the network once is thrown away and sent again: latency spikes of a retransmission timeout, and copying in the kernel meanwhile.',
    remedy:
      'The program reads too slowly, or its receive buffer is small for what is in flight. Make it read (a thread that is blocked, a queue behind it that is full); do not set SO_RCVBUF, or set it larger; raise the third value of net.ipv4.tcp_rmem where it is the cap.',
    risk: 'Larger buffers hold more memory for each slow reader.',
    undo: 'Set net.ipv4.tcp_rmem, or the buffer size in the program, to what it was.',
    needs: 'new connections, or a change in the application',
    sources: ['https://docs.kernel.org/networking/snmp_counter.html (prune)'],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const growth = growthOfAll(net, ALL);
    if (Array.isArray(growth)) return growth;
    const evidence = ALL.flatMap((counter) => net.evidence(counter));
    const dropped = growth[RECEIVE].delta + growth[OUT_OF_ORDER].delta;
    const called = growth[CALLED].delta;
    if (dropped > 0)
      return [named(context, fail, `segments were thrown away ${dropped} times for want of receive buffer`, dropped)];
    if (called > 0) return [named(context, warn, `receive queues were pruned ${called} times`, called)];
    if (growth[COLLAPSED].delta > 0)
      return [info(`${growth[COLLAPSED].delta} segments were copied together to save receive buffer`, evidence)];
    const before = growth[RECEIVE].total + growth[OUT_OF_ORDER].total;
    return before > 0
      ? [info(`received segments were thrown away ${before} times ${since(net)}, not within the window`, evidence)]
      : [pass('no receive queue was pruned within the window', evidence)];
  },
});

/** The counters name nobody: the connection with the fullest receive buffer, or with drops, is the likely one. */
function named(context: NetContext, finding: typeof fail, what: string, weight: number): Finding {
  const evidence = ALL.flatMap((counter) => context.net.evidence(counter));
  const suspect = (judgedConnections(context) ?? [])
    .filter((c) => fill(c) >= FULL || (c.window?.drops ?? 0) > 0)
    .toSorted((a, b) => (b.window?.drops ?? 0) - (a.window?.drops ?? 0) || fill(b) - fill(a))[0];
  if (!suspect?.memory) return finding(what, evidence, { weight });
  const { receiveAlloc, receiveBuffer } = suspect.memory;
  return finding(
    `${what}; likely at ${connectionName(suspect)}: ${receiveAlloc} of ${receiveBuffer} bytes of receive buffer in use, ${suspect.recvQueueBytes} bytes unread`,
    [
      ...evidence,
      { source: 'sock_diag skmem', key: 'receive memory', value: receiveAlloc, unit: 'bytes', scope: 'now' },
      { source: 'sock_diag skmem', key: 'receive buffer', value: receiveBuffer, unit: 'bytes', scope: 'now' },
      { source: 'sock_diag', key: 'unread', value: suspect.recvQueueBytes, unit: 'bytes', scope: 'now' },
    ],
    { subject: connectionSubject(suspect), weight },
  );
}

const fill = ({ memory }: Connection): number =>
  memory && memory.receiveBuffer > 0 ? memory.receiveAlloc / memory.receiveBuffer : 0;
