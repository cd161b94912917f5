import { defineCheck, type Finding } from '../check.js';
import { info, pass, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import type { NetView } from '../view.js';
import { growthOfAll, since } from './counters.js';

const KEY = 'net.ipv4.tcp_syncookies';
const SENT = 'TcpExtSyncookiesSent';
const RECEIVED = 'TcpExtSyncookiesRecv';
const FAILED = 'TcpExtSyncookiesFailed';
const ALL = [SENT, RECEIVED, FAILED] as const;

export const syncookies = defineCheck({
  id: 'syncookies',
  title: 'SYN cookies in use',
  category: 'tcp',
  scope: 'netns',
  priority: 70,
  thresholds: {
    answered: {
      default: 50,
      unit: '%',
      description: 'Share of the cookies that come back from which on this is overload by real clients.',
    },
  },
  page: {
    mechanism:
      'When a listener has no room for another half-open connection, the kernel puts what it must remember into the sequence number of its SYN-ACK (a cookie) and forgets the SYN. Real clients send the cookie back; the false addresses of a SYN flood do not. Cookies are a fallback: they carry the TCP options only where timestamps are on, and must not be relied on to serve real load.',
    reads:
      'TcpExtSyncookiesSent, SyncookiesRecv and SyncookiesFailed in /proc/net/netstat, twice; net.ipv4.tcp_syncookies.',
    threshold:
      'warn: cookies were sent within the window and at least half of them came back (overload by real clients). info: cookies were sent and few came back (a flood, which they absorb), or net.ipv4.tcp_syncookies is 0 or 2.',
    why: 'Real clients meet full queues: the server is overloaded or its backlog too small.',
    remedy:
      'Mend the queues: let the program accept faster, raise its listen() backlog and net.core.somaxconn with it and restart it (see syn-queue and listen-overflow). Never just turn cookies off: the clients would be dropped instead.',
    risk: 'A longer queue hides a slow program behind longer waits.',
    undo: 'Set the former backlog and net.core.somaxconn again and restart the listener.',
    needs: 'restart of the listening program',
    tune: { keys: ['net.ipv4.tcp_syncookies'] },
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (tcp_syncookies)',
      'https://docs.kernel.org/networking/snmp_counter.html (SYN cookies)',
    ],
  },
  judge({ net, threshold }): Finding[] {
    const growth = growthOfAll(net, ALL);
    if (Array.isArray(growth)) return growth;
    const sent = growth[SENT].delta;
    const received = growth[RECEIVED].delta;
    const evidence = [...ALL.flatMap((counter) => net.evidence(counter)), net.sysctlEvidence(KEY)];
    if (sent === 0) return [quiet(net, growth[SENT].total)];
    if (net.sysctl(KEY) === '2')
      return [info(`SYN cookies are sent for every connection: ${KEY} is 2, which is meant for tests`, evidence)];
    const answered = Math.min(100, Math.round((100 * received) / sent));
    if (answered < threshold('answered'))
      return [
        info(
          `${sent} SYN cookies sent, ${received} came back: a SYN flood, or answers that get lost; the cookies absorb it`,
          evidence,
        ),
      ];
    return [
      warn(
        `${sent} SYN cookies sent and ${received} came back (${answered} %): real clients meet full queues, this is overload and no attack`,
        evidence,
        { weight: sent },
      ),
    ];
  },
});

function quiet(net: NetView, total: number): Finding {
  const evidence = [...net.evidence(SENT), net.sysctlEvidence(KEY)];
  if (net.sysctl(KEY) === '0')
    return info('SYN cookies are off: a full SYN queue drops clients, and a SYN flood stops the server', evidence, {
      subject: { key: KEY },
      remedy: {
        summary: "Turn them on, the kernel's default",
        ...setSysctls(net, { [KEY]: 1 }),
        risk: 'None while queues have room.',
        needs: 'nothing',
      },
    });
  return total === 0
    ? pass(`no SYN cookies sent ${since(net)}`, evidence)
    : info(`${total} SYN cookies sent ${since(net)}, none within the window`, evidence);
}
