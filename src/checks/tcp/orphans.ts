import { defineCheck, type Finding } from '../check.js';
import { fail, info, needsWindow, notApplicable, pass, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import type { NetView } from '../view.js';
import { since } from './counters.js';

const KEY = 'net.ipv4.tcp_max_orphans';
const ABORTED = 'TcpExtTCPAbortOnMemory';
const FAIL_PERCENT = 95;

export const orphans = defineCheck({
  id: 'orphans',
  title: 'Orphaned TCP sockets',
  category: 'tcp',
  scope: 'netns',
  priority: 85,
  thresholds: {
    percent: { default: 80, unit: '%', description: 'Share of tcp_max_orphans in use that is a warning.' },
  },
  page: {
    mechanism:
      'A socket that its program has closed, but that still has data to send or waits for the peer, is an orphan. Above net.ipv4.tcp_max_orphans, or when TCP as a whole is out of memory, the kernel resets such connections at once: what they had still to send is lost. (It begins to do so at half of the limit for sockets that make no progress.)',
    reads:
      '"orphan" of /proc/net/sockstat, a count of the whole host, against net.ipv4.tcp_max_orphans, which is shown in the initial namespace only; TcpExtTCPAbortOnMemory in /proc/net/netstat, twice.',
    threshold:
      'fail: TCPAbortOnMemory grew within the window, or 95 % of the limit in use. warn: more than 80 % in use. info: the counter is above zero, and did not move.',
    why: 'Connections are reset in the middle of their last data: clients see truncated answers.',
    remedy:
      'Find which program closes so many connections whose peers do not read or have gone (ss -tn state fin-wait-1; state last-ack). Raise net.ipv4.tcp_max_orphans, never lower it; where memory is the reason see tcp-memory.',
    risk: 'Each orphan may hold up to 64 KiB of memory that cannot be swapped.',
    undo: 'Set net.ipv4.tcp_max_orphans to what it was.',
    needs: 'nothing',
    tune: { keys: ['net.ipv4.tcp_max_orphans'] },
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (tcp_max_orphans, tcp_orphan_retries)',
      'https://docs.kernel.org/networking/snmp_counter.html (TcpExtTCPAbortOnMemory)',
    ],
  },
  judge({ net, threshold }): Finding[] {
    const limit = net.sysctlNumber(KEY);
    const held = net.last.sockstat['TCP.orphan'];
    const aborted = net.delta(ABORTED);
    const known = limit !== undefined && held !== undefined;
    const percent = known ? (100 * held) / Math.max(1, limit) : 0;
    const evidence = [
      ...net.evidence(ABORTED),
      ...(held === undefined
        ? []
        : [{ source: '/proc/net/sockstat', key: 'TCP.orphan', value: held, unit: 'sockets', scope: 'now' as const }]),
      ...(known ? [net.sysctlEvidence(KEY)] : []),
    ];
    const raise = known ? raised(net, limit, percent > threshold('percent')) : {};
    if (aborted !== undefined && aborted > 0)
      return [
        fail(`${aborted} closed connections were reset for lack of room`, evidence, { weight: aborted, ...raise }),
      ];
    if (percent > threshold('percent'))
      return [
        (percent >= FAIL_PERCENT ? fail : warn)(
          `${held} orphaned sockets, ${Math.floor(percent)} % of the ${limit} allowed`,
          evidence,
          { subject: { key: KEY }, ...raise },
        ),
      ];
    const before = net.total(ABORTED) ?? 0;
    if (before > 0 && aborted !== undefined)
      return [
        info(`${before} connections were reset for lack of room ${since(net)}, none within the window`, evidence),
      ];
    if (known) return [pass(`${held} orphaned sockets, room for ${limit}`, evidence)];
    return aborted === undefined
      ? [net.first === undefined ? needsWindow() : notApplicable(`${KEY} and ${ABORTED} are not shown here`)]
      : [pass(`no closed connection was reset for lack of room; ${KEY} is host-wide and not shown here`, evidence)];
  },
});

/** Only when the limit is what is short; memory is the business of tcp-memory. */
function raised(net: NetView, limit: number, short: boolean) {
  if (!short) return {};
  return {
    remedy: { summary: 'Find the program that leaves them; raise the limit', ...setSysctls(net, { [KEY]: 2 * limit }) },
  };
}
