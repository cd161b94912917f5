import type { LinkCounters } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, needsWindow, pass, unknown, warn } from '../findings.js';

const COUNTER = 'TcpExtTCPSpuriousRtxHostQueues';

export const hostQueueRtx = defineCheck({
  id: 'host-queue-rtx',
  title: 'Retransmissions of segments still queued on this host',
  category: 'tcp',
  scope: 'netns',
  priority: 60,
  page: {
    mechanism:
      'When TCP wants to retransmit a segment it looks whether the first copy has left the host at all. If that copy still waits in a qdisc or in a ring of the NIC, TCP does not send a second one and counts TCPSpuriousRtxHostQueues instead: the timer ran out because of a queue on this host, not because of loss.',
    reads: 'TcpExtTCPSpuriousRtxHostQueues in /proc/net/netstat, twice; backlog of each qdisc by rtnetlink.',
    threshold: 'warn: the counter grew within the window. info: it is above zero since boot, and did not move.',
    why: 'Packets wait on this host for longer than a retransmission timeout (200 ms and more) before they are sent.',
    remedy:
      'Look at the interface with the longest queue: a shaper (tbf, htb) set too slow, a link that is down-clocked or paused by flow control, a transmit ring that hangs (NETDEV WATCHDOG in the kernel log), or a qdisc without queue management. fq or fq_codel keep the queue short.',
    risk: 'Replacing a qdisc drops what it holds.',
    undo: 'tc qdisc replace dev <interface> root <former qdisc>',
    needs: 'nothing',
    sources: ['https://docs.kernel.org/networking/snmp_counter.html (TcpExtTCPSpuriousRtxHostQueues)'],
  },
  judge({ net }: NetContext): Finding[] {
    const total = net.total(COUNTER);
    if (total === undefined) return [unknown(`this kernel does not show ${COUNTER}`)];
    const delta = net.delta(COUNTER);
    if (delta === undefined) return [needsWindow()];
    const evidence = net.evidence(COUNTER);
    if (delta === 0)
      return [
        total === 0
          ? pass('no timer has run out while the segment was still queued here', evidence)
          : info(`${total} since boot, none within the window`, evidence),
      ];
    const queue = longest(net.last.links);
    if (!queue) return [warn(`${delta} segments were due for retransmission while still queued here`, evidence)];
    return [
      warn(
        `${delta} segments were due for retransmission while still queued here; ${queue.packets} packets wait in ${queue.kind} of ${queue.name}`,
        [
          ...evidence,
          { source: 'rtnetlink qdisc', key: 'backlog', value: queue.packets, unit: 'packets', scope: 'now' },
          { source: 'rtnetlink qdisc', key: 'backlog', value: queue.bytes, unit: 'bytes', scope: 'now' },
        ],
        { subject: { interface: queue.name }, weight: delta },
      ),
    ];
  },
});

function longest(links: readonly LinkCounters[]) {
  return links
    .flatMap((link) =>
      link.qdiscs.map((q) => ({ name: link.name, kind: q.kind, packets: q.backlogPackets, bytes: q.backlogBytes })),
    )
    .filter((q) => q.packets > 0)
    .toSorted((a, b) => b.bytes - a.bytes)[0];
}
