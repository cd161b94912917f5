import type { Listener } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, pass } from '../findings.js';
import { growthOf, still } from './counters.js';
import {
  dropEvidence,
  dropGrowth,
  judgedListeners,
  listenerBefore,
  listenerSubject,
  nameOf,
  queueEvidence,
} from './sockets.js';

const COUNTER = 'TcpExtListenOverflows';

export const listenOverflow = defineCheck({
  id: 'listen-overflow',
  title: 'Accept queue overflows',
  category: 'tcp',
  scope: 'netns',
  priority: 95,
  page: {
    mechanism:
      "A connection whose handshake is complete waits in its listener's accept queue until the program calls accept(). When the queue holds more than the backlog, the kernel drops new SYNs and the last ACK of handshakes under way: a client sees connect() hang or believes that it is connected, sends, and waits for retransmissions of a second and more.",
    reads:
      'TcpExtListenOverflows in /proc/net/netstat, twice; sk_drops, queue and backlog of each listener by sock_diag. Each dropped segment counts, so a client that tries three times counts three.',
    threshold: 'fail: the counter grew within the window. info: it is above zero, and did not move.',
    why: 'Clients are being turned away now: each drop costs one of them a retransmission timeout of at least a second.',
    remedy:
      "Find out why the program does not accept faster (a blocked event loop, too few workers, a slow start). A larger backlog only rides out bursts: raise it in the program's configuration and net.core.somaxconn with it, then restart the listener.",
    risk: 'A longer queue hides a slow program behind longer waits.',
    undo: 'Set the former backlog and net.core.somaxconn again and restart the listener.',
    needs: 'restart of the listening program, for a new backlog',
    sources: [
      'https://docs.kernel.org/networking/snmp_counter.html (TcpExtListenOverflows)',
      'listen(2): the backlog argument and /proc/sys/net/core/somaxconn',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net, snapshot } = context;
    const growth = growthOf(net, COUNTER);
    if (Array.isArray(growth)) return growth;
    const { total, delta } = growth;
    if (delta === 0) return still(net, total, 'overflows of an accept queue', COUNTER);
    const hit = overflowing(context);
    if (hit.length > 0) return hit.map(({ listener, drops }) => overflow(context, listener, drops));
    if (snapshot.selection.pids !== undefined)
      return [pass(`${delta} overflows in this namespace, none at a listener of the selection`, net.evidence(COUNTER))];
    const summary = `${delta} connection attempts met a full accept queue; the listener is gone or not shown`;
    return [fail(summary, net.evidence(COUNTER), { weight: delta })];
  },
});

const full = (listener: Listener | undefined): boolean => listener !== undefined && listener.queue > listener.backlog;

/** Listeners whose own drops grew. sk_drops has other causes too, so those seen with a full queue go first. */
function overflowing(context: NetContext): { listener: Listener; drops: number }[] {
  const grown = (judgedListeners(context) ?? []).flatMap((listener) => {
    const drops = dropGrowth(context, listener);
    return drops > 0 ? [{ listener, drops, full: full(listener) || full(listenerBefore(context, listener)) }] : [];
  });
  return grown.some((hit) => hit.full) ? grown.filter((hit) => hit.full) : grown;
}

function overflow({ net }: NetContext, listener: Listener, drops: number): Finding {
  return fail(
    `${nameOf(listener)} turned ${drops} connection attempts away: queue ${listener.queue} of ${listener.backlog}`,
    [...net.evidence(COUNTER), dropEvidence(drops), ...queueEvidence(listener)],
    { subject: listenerSubject(listener), weight: drops },
  );
}
