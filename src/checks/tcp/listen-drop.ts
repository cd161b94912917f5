import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, pass } from '../findings.js';
import { growthOfAll, since } from './counters.js';
import { dropEvidence, dropGrowth, judgedListeners, listenerSubject, nameOf } from './sockets.js';

const DROPS = 'TcpExtListenDrops';
const OVERFLOWS = 'TcpExtListenOverflows';
const FULL = 'TcpExtTCPReqQFullDrop';
const ALL = [DROPS, OVERFLOWS, FULL] as const;

export const listenDrop = defineCheck({
  id: 'listen-drop',
  title: 'Connection attempts dropped at listeners',
  category: 'tcp',
  scope: 'netns',
  priority: 90,
  page: {
    mechanism:
      'A listener drops a SYN or a handshake ACK not only because its accept queue or its SYN queue is full: an allocation may fail, there may be no route back to the client, a security module may refuse, or, with SYN cookies off, three quarters of tcp_max_syn_backlog may be in use. This check counts what those two queues do not explain.',
    reads:
      'TcpExtListenDrops minus TcpExtListenOverflows minus TcpExtTCPReqQFullDrop in /proc/net/netstat, twice; sk_drops of each listener by sock_diag.',
    threshold: 'fail: the difference grew within the window. info: it is above zero, and did not move.',
    why: 'Clients lose connection attempts for a reason that no backlog mends; each waits a second and more before it tries again.',
    remedy:
      'Look for the reason: free memory and the allocation failures in the kernel log, a route back to these clients (ip route get CLIENT), policy of a security module, net.ipv4.tcp_max_syn_backlog where net.ipv4.tcp_syncookies is 0. `perf trace -e skb:kfree_skb` or `dropwatch` name the place in the kernel.',
    risk: 'Looking costs nothing; tracing drops on a busy host costs CPU.',
    undo: 'Nothing was changed.',
    needs: 'nothing',
    sources: ['https://docs.kernel.org/networking/snmp_counter.html (TcpExtListenOverflows and TcpExtListenDrops)'],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const growth = growthOfAll(net, ALL);
    if (Array.isArray(growth)) return growth;
    const delta = unexplained(growth[DROPS].delta, growth[OVERFLOWS].delta, growth[FULL].delta);
    const total = unexplained(growth[DROPS].total, growth[OVERFLOWS].total, growth[FULL].total);
    const evidence = ALL.flatMap((counter) => net.evidence(counter));
    if (delta > 0) return [dropped(context, delta)];
    return total === 0
      ? [pass(`no drops at listeners ${since(net)} beyond full queues`, evidence)]
      : [
          info(
            `${total} drops at listeners ${since(net)} that no full queue explains, none within the window`,
            evidence,
          ),
        ];
  },
});

/** The counters are read one after the other while they move: never below zero. */
const unexplained = (drops: number, overflows: number, full: number): number => Math.max(0, drops - overflows - full);

function dropped(context: NetContext, delta: number): Finding {
  const { net } = context;
  const evidence = ALL.flatMap((counter) => net.evidence(counter));
  const grown = (judgedListeners(context) ?? [])
    .map((listener) => ({ listener, drops: dropGrowth(context, listener) }))
    .filter(({ drops }) => drops > 0)
    .toSorted((a, b) => b.drops - a.drops);
  const worst = grown[0];
  const what = `${delta} connection attempts dropped at listeners, not because of a full queue`;
  if (!worst) return fail(what, evidence, { weight: delta });
  return fail(`${what}; most at ${nameOf(worst.listener)}`, [...evidence, dropEvidence(worst.drops)], {
    subject: listenerSubject(worst.listener),
    weight: delta,
  });
}
