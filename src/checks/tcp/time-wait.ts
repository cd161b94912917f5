import { defineCheck, type Finding } from '../check.js';
import { info, pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import { since } from './counters.js';

const KEY = 'net.ipv4.tcp_max_tw_buckets';
const OVERFLOW = 'TcpExtTCPTimeWaitOverflow';
/** What a host with 16 GiB and more gets by default (half of tcp_ehash_entries). */
const AMPLE = 262_144;

export const timeWait = defineCheck({
  id: 'time-wait',
  title: 'TIME_WAIT sockets',
  category: 'tcp',
  scope: 'netns',
  priority: 50,
  thresholds: {
    percent: { default: 90, unit: '%', description: 'Share of tcp_max_tw_buckets in use that is a warning.' },
  },
  page: {
    mechanism:
      'The side that closes first keeps a small record of the connection for 60 seconds (TIME_WAIT), so that late segments are not taken for those of a new connection, and a lost last ACK is sent again. Beyond net.ipv4.tcp_max_tw_buckets the kernel throws such records away at once and logs "TCP: time wait bucket table overflow".',
    reads:
      '"tw" of /proc/net/sockstat (also holds orphaned FIN_WAIT_2) against net.ipv4.tcp_max_tw_buckets; TcpExtTCPTimeWaitOverflow in /proc/net/netstat, twice.',
    threshold:
      'warn: the counter grew within the window, or more than 90 % in use. info: it is above zero, and did not move.',
    why: 'Without its record a connection is closed unsafely: its peer may get a reset for its last segments, and old segments may disturb a new connection.',
    remedy:
      'Raise net.ipv4.tcp_max_tw_buckets; never lower it. Better: fewer short connections (keep-alive, pools), or let the clients close first. net.ipv4.tcp_fin_timeout does not change TIME_WAIT.',
    risk: 'Up to a few hundred bytes of memory for each.',
    undo: 'Set net.ipv4.tcp_max_tw_buckets to what it was.',
    needs: 'nothing',
    tune: { keys: ['net.ipv4.tcp_max_tw_buckets'] },
    sources: ['https://docs.kernel.org/networking/ip-sysctl.html (tcp_max_tw_buckets)'],
  },
  judge({ net, threshold }): Finding[] {
    const limit = net.sysctlNumber(KEY);
    const held = net.last.sockstat['TCP.tw'];
    if (limit === undefined || held === undefined)
      return [unknown(`${limit === undefined ? KEY : '/proc/net/sockstat'} could not be read`)];
    const delta = net.delta(OVERFLOW) ?? 0;
    const total = net.total(OVERFLOW) ?? 0;
    const percent = limit === 0 ? 100 : (100 * held) / limit;
    const evidence = [
      ...net.evidence(OVERFLOW),
      { source: '/proc/net/sockstat', key: 'TCP.tw', value: held, unit: 'sockets', scope: 'now' as const },
      net.sysctlEvidence(KEY),
    ];
    if (delta === 0 && (limit === 0 || percent <= threshold('percent')))
      return [
        total > 0
          ? info(`${total} TIME_WAIT sockets were thrown away ${since(net)}, none within the window`, evidence)
          : pass(`${held} sockets in TIME_WAIT, room for ${limit}`, evidence),
      ];
    return [
      warn(
        delta > 0
          ? `${delta} connections were closed without their TIME_WAIT: ${held} are held and ${KEY} is ${limit}`
          : `${held} sockets in TIME_WAIT, ${Math.floor(percent)} % of the ${limit} allowed`,
        evidence,
        {
          subject: { key: KEY },
          weight: delta,
          remedy: { summary: 'Raise the limit', ...setSysctls(net, { [KEY]: Math.max(2 * limit, AMPLE) }) },
        },
      ),
    ];
  },
});
