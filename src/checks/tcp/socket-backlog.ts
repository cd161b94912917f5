import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, warn } from '../findings.js';
import { growthOfAll, still } from './counters.js';
import { connectionName, connectionSubject, dropEvidence, judgedConnections } from './sockets.js';

const BACKLOG = 'TcpExtTCPBacklogDrop';
const QUEUE = 'TcpExtTCPRcvQDrop';
const ZERO_WINDOW = 'TcpExtTCPZeroWindowDrop';
const ALL = [BACKLOG, QUEUE, ZERO_WINDOW] as const;

export const socketBacklog = defineCheck({
  id: 'socket-backlog',
  title: 'Segments dropped at full sockets',
  category: 'tcp',
  scope: 'netns',
  priority: 61,
  page: {
    mechanism:
      'Segments that arrive while a program is inside a system call on the socket wait in a backlog; when that exceeds what the socket buffers allow they are dropped (TCPBacklogDrop). Those that find the receive queue full are dropped too (TCPRcvQDrop), and so is data that arrives although the window is closed (TCPZeroWindowDrop).',
    reads:
      'TcpExtTCPBacklogDrop, TCPRcvQDrop and TCPZeroWindowDrop in /proc/net/netstat, twice; drops of each picked connection by sock_diag (skmem).',
    threshold:
      'fail: TCPBacklogDrop or TCPRcvQDrop grew within the window. warn: TCPZeroWindowDrop alone did. info: one is above zero, and did not move.',
    why: 'Segments reached this host and were thrown away; the peer sends them again after a pause.',
    remedy:
      'TCPBacklogDrop: the program holds the socket for long (very large reads or writes, many threads on one socket, a CPU that is overloaded: see run-queue-delay). The others: the program does not read; see receive-prune.',
    risk: 'None from looking; larger buffers hold more memory.',
    undo: 'Nothing was changed.',
    needs: 'a change in the application',
    sources: [
      'The kernel: include/uapi/linux/snmp.h (LINUX_MIB_TCPBACKLOGDROP, TCPRCVQDROP, TCPZEROWINDOWDROP) and net/ipv4/tcp_input.c, tcp_ipv4.c, where they are counted',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const growth = growthOfAll(net, ALL);
    if (Array.isArray(growth)) return growth;
    const [backlog, queue, zero] = ALL.map((counter) => growth[counter].delta) as [number, number, number];
    if (backlog + queue + zero === 0) {
      const total = ALL.reduce((sum, counter) => sum + growth[counter].total, 0);
      return still(net, total, 'segments dropped at full sockets', ...ALL);
    }
    const parts = [
      backlog > 0 ? `${backlog} at a socket backlog` : '',
      queue > 0 ? `${queue} at a full receive queue` : '',
      zero > 0 ? `${zero} at a closed window` : '',
    ].filter(Boolean);
    return [
      named(
        context,
        backlog + queue > 0 ? fail : warn,
        `segments dropped: ${parts.join(', ')}`,
        backlog + queue + zero,
      ),
    ];
  },
});

function named(context: NetContext, finding: typeof fail, what: string, weight: number): Finding {
  const evidence = ALL.flatMap((counter) => context.net.evidence(counter));
  const worst = (judgedConnections(context) ?? [])
    .filter((connection) => (connection.window?.drops ?? 0) > 0)
    .toSorted((a, b) => (b.window?.drops ?? 0) - (a.window?.drops ?? 0))[0];
  const drops = worst?.window?.drops;
  if (!worst || drops === undefined) return finding(what, evidence, { weight });
  return finding(`${what}; ${connectionName(worst)} dropped ${drops}`, [...evidence, dropEvidence(drops)], {
    subject: connectionSubject(worst),
    weight,
  });
}
