import { defineCheck, type Finding } from '../check.js';
import { pass, warn } from '../findings.js';
import { growthOf, still } from './counters.js';

const KEY = 'net.ipv4.tcp_fastopen';
const OVERFLOW = 'TcpExtTCPFastOpenListenOverflow';
const PASSIVE = 'TcpExtTCPFastOpenPassive';
const SERVER = 2;

export const fastopen = defineCheck({
  id: 'fastopen',
  title: 'TCP Fast Open queue',
  category: 'tcp',
  scope: 'netns',
  priority: 30,
  page: {
    mechanism:
      'With TCP Fast Open (RFC 7413) a client sends data in its SYN, and the server gets it a round trip early. Each listener allows only so many connections whose handshake is still open (the TCP_FASTOPEN option, at most net.core.somaxconn); beyond that the kernel falls back to the ordinary handshake and the client sends its data again.',
    reads:
      'TcpExtTCPFastOpenListenOverflow and TcpExtTCPFastOpenPassive in /proc/net/netstat, twice; net.ipv4.tcp_fastopen.',
    threshold: 'warn: the overflow counter grew within the window. info: it is above zero, and did not move.',
    why: 'Clients that could save a round trip do not, just when the server is busy.',
    remedy:
      'Pass a larger queue length to TCP_FASTOPEN in the program (nginx: listen … fastopen=N) and restart it. Set net.ipv4.tcp_fastopen to 3 only where a program serves Fast Open.',
    risk: 'Each such connection costs work before the client has proved its address. Some middleboxes drop SYNs with data.',
    undo: "Set the former queue length in the program's configuration and restart it.",
    needs: 'restart of the listening program',
    sources: [
      'https://docs.kernel.org/networking/snmp_counter.html (TcpExtTCPFastOpenListenOverflow)',
      'https://docs.kernel.org/networking/ip-sysctl.html (tcp_fastopen)',
      'RFC 7413',
    ],
  },
  judge({ net }): Finding[] {
    const growth = growthOf(net, OVERFLOW);
    if (Array.isArray(growth)) return growth;
    const evidence = [...net.evidence(OVERFLOW), ...net.evidence(PASSIVE), net.sysctlEvidence(KEY)];
    if (growth.delta > 0)
      return [
        warn(
          `${growth.delta} connections that wanted Fast Open found its queue full and took the ordinary handshake`,
          evidence,
          { weight: growth.delta },
        ),
      ];
    if (growth.total === 0 && ((net.sysctlNumber(KEY) ?? 0) & SERVER) === 0)
      return [pass('no program serves Fast Open here', evidence)];
    return still(net, growth.total, 'overflows of a Fast Open queue', OVERFLOW);
  },
});
