import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, notApplicable, pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import { since } from './counters.js';

const KEY = 'net.ipv4.tcp_mem';
const PRESSURES = 'TcpExtTCPMemoryPressures';
const FAIL_PERCENT = 95;
/** TCP shall not be given more than this share of the host's memory. */
const MEMORY_SHARE = 0.25;

export const tcpMemory = defineCheck({
  id: 'tcp-memory',
  title: 'Memory of all TCP sockets',
  category: 'tcp',
  scope: 'netns',
  priority: 93,
  page: {
    mechanism:
      'The kernel counts the pages that all TCP sockets of the host hold in their queues. Above the second value of net.ipv4.tcp_mem ("pressure") it shrinks buffers and windows of every connection; above the third nothing more may be queued: segments are dropped and closed connections reset ("TCP: out of memory -- consider tuning tcp_mem").',
    reads:
      '"mem" of /proc/net/sockstat, pages of the whole host; net.ipv4.tcp_mem, shown in the initial namespace only; TcpExtTCPMemoryPressures in /proc/net/netstat, twice.',
    threshold:
      'fail: 95 % of the third value in use. warn: more than the second value in use, or TCPMemoryPressures grew within the window. info: that counter is above zero, and did not move.',
    why: 'All connections of the host slow down together, whatever program filled the memory.',
    remedy:
      'Find who holds it (ss -tmn: the r and w figures of skmem; many connections with unread data). Raise net.ipv4.tcp_mem as long as its third value stays under a quarter of the memory; otherwise smaller third values of tcp_rmem and tcp_wmem, fewer connections, or more memory.',
    risk: 'Memory given to TCP is not there for programs: too much of it and the OOM killer comes.',
    undo: 'Set net.ipv4.tcp_mem to what it was.',
    needs: 'nothing',
    tune: { keys: ['net.ipv4.tcp_mem'] },
    sources: ['https://docs.kernel.org/networking/ip-sysctl.html (tcp_mem)', 'tcp(7): tcp_mem'],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const [, pressure, max] = net.sysctlNumbers(KEY);
    const pages = net.last.sockstat['TCP.mem'];
    const pressures = net.delta(PRESSURES) ?? 0;
    const total = net.total(PRESSURES) ?? 0;
    if (pages === undefined) return [unknown('/proc/net/sockstat could not be read')];
    const evidence = [
      { source: '/proc/net/sockstat', key: 'TCP.mem', value: pages, unit: 'pages', scope: 'now' as const },
      net.sysctlEvidence(KEY),
      ...net.evidence(PRESSURES),
    ];
    const bad = trouble(pages, pressure, max, pressures);
    if (bad) return [bad.finding(bad.summary, evidence, { subject: { key: KEY }, ...remedyOf(context) })];
    if (total > 0 && net.first)
      return [info(`TCP ran into memory pressure ${total} times ${since(net)}, not within the window`, evidence)];
    return pressure === undefined
      ? [notApplicable(`${KEY} is host-wide and shown in the initial namespace only`)]
      : [pass(`TCP holds ${pages} pages, pressure begins at ${pressure}`, evidence)];
  },
});

function trouble(pages: number, pressure: number | undefined, max: number | undefined, pressures: number) {
  if (max !== undefined && 100 * pages >= FAIL_PERCENT * max)
    return { finding: fail, summary: `TCP holds ${pages} of the ${max} pages it may have: segments are being dropped` };
  if (pressure !== undefined && pages > pressure)
    return {
      finding: warn,
      summary: `TCP holds ${pages} pages, more than ${pressure}: all its windows are being shrunk`,
    };
  if (pressures > 0)
    return { finding: warn, summary: `TCP ran into memory pressure ${pressures} times within the window` };
  return undefined;
}

/** Half as much again, when that stays below a quarter of the memory. */
function remedyOf({ net, host }: NetContext) {
  const now = net.sysctlNumbers(KEY);
  const wanted = now.map((pages) => Math.ceil(1.5 * pages));
  const most = (MEMORY_SHARE * host.facts.memoryBytes) / host.facts.pageBytes;
  if (now.length !== 3 || (wanted[2] as number) > most) return {};
  return {
    remedy: {
      summary: 'Find who holds the memory; give TCP half as much again meanwhile',
      ...setSysctls(net, { [KEY]: wanted.join(' ') }),
    },
  };
}
