import type { Connection } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, needsWindow, pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import { connectionName, connectionSubject, judgedConnections } from './sockets.js';

const KEY = 'net.ipv4.tcp_slow_start_after_idle';

export const idleRestart = defineCheck({
  id: 'idle-restart',
  title: 'Slow start after idling',
  category: 'tcp',
  scope: 'netns',
  priority: 20,
  thresholds: {
    cost: {
      default: 1,
      unit: 'ms',
      description: 'Time that regaining the congestion window takes, to be worth a word.',
    },
  },
  page: {
    mechanism:
      'With net.ipv4.tcp_slow_start_after_idle=1 (RFC 2861) a connection that was silent for longer than its retransmission timeout forgets the congestion window it had reached, and doubles up from ten segments again, one round trip per doubling. Kept-alive connections with pauses (request and response, streaming in chunks) pay that for each burst. Congestion controls with their own model, such as BBR, ignore the setting.',
    reads:
      'Congestion window of the picked connections at both ends of the window (tcp_info by sock_diag), retransmissions between; net.ipv4.tcp_slow_start_after_idle.',
    threshold:
      'info, in the latency and throughput profiles warn: congestion windows fell without a loss or ECN while the connection sent, and regaining them takes at least a millisecond.',
    why: 'Each burst after a pause takes several round trips more than it needs to.',
    remedy: 'Set net.ipv4.tcp_slow_start_after_idle to 0 on hosts with long-lived connections of this kind.',
    risk: 'A burst at the old rate into a path that has become slower since, and some loss there.',
    undo: 'sysctl -w net.ipv4.tcp_slow_start_after_idle=1',
    needs: 'nothing: it holds for open connections at once',
    tune: { keys: ['net.ipv4.tcp_slow_start_after_idle'] },
    sources: ['https://docs.kernel.org/networking/ip-sysctl.html (tcp_slow_start_after_idle)', 'RFC 2861'],
  },
  judge(context: NetContext): Finding[] {
    const { net, profile } = context;
    const value = net.sysctlNumber(KEY);
    if (value === undefined) return [unknown(`${KEY} could not be read`)];
    if (value === 0) return [pass('congestion windows survive idling', [net.sysctlEvidence(KEY)])];
    const connections = judgedConnections(context);
    if (connections === undefined) return [unknown('the sockets of this namespace could not be read')];
    if (net.first === undefined) return [needsWindow()];
    const costs = connections.map((connection) => ({ connection, cost: costMs(connection) }));
    const hit = costs.filter(({ cost }) => cost >= context.threshold('cost')).toSorted((a, b) => b.cost - a.cost);
    const worst = hit[0];
    if (!worst) return [pass('no congestion window was lost to idling within the window', [net.sysctlEvidence(KEY)])];
    const finding = profile === 'latency' || profile === 'throughput' ? warn : info;
    return [
      finding(describe(worst.connection, worst.cost, hit.length), evidenceOf(context, worst.connection), {
        subject: { ...connectionSubject(worst.connection), key: KEY },
        weight: worst.cost,
        remedy: { summary: 'Keep the congestion window over pauses', ...setSysctls(net, { [KEY]: 0 }) },
      }),
    ];
  },
});

/** What one burst after idling costs: a round trip per halving of the congestion window; 0 when it fell otherwise. */
function costMs({
  window,
  cwndSegments,
  congestionControl = '',
  tcpOptions = [],
  rttUs = 0,
  minRttUs,
}: Connection): number {
  const before = window?.cwndSegmentsFirst;
  if (before === undefined || cwndSegments === undefined || cwndSegments < 1 || cwndSegments >= before) return 0;
  if (!window?.bytesSent || window.retransmits !== 0 || window.opened) return 0;
  if (congestionControl.startsWith('bbr') || tcpOptions.includes('ecn')) return 0;
  return (Math.log2(before / cwndSegments) * (minRttUs ?? rttUs)) / 1000;
}

function describe(connection: Connection, cost: number, count: number): string {
  const { window, cwndSegments } = connection;
  const one = `${connectionName(connection)} fell from ${window?.cwndSegmentsFirst} to ${cwndSegments} segments, which takes ${cost.toFixed(1)} ms to regain`;
  return count === 1 ? `idling cost a congestion window: ${one}` : `idling cost ${count} congestion windows; ${one}`;
}

const evidenceOf = ({ net }: NetContext, { window, cwndSegments, rttUs }: Connection) => [
  {
    source: 'tcp_info',
    key: 'congestion window at the first reading',
    value: window?.cwndSegmentsFirst ?? 0,
    unit: 'segments',
  },
  { source: 'tcp_info', key: 'congestion window', value: cwndSegments ?? 0, unit: 'segments', scope: 'now' as const },
  { source: 'tcp_info', key: 'RTT', value: rttUs ?? 0, unit: 'us', scope: 'now' as const },
  net.sysctlEvidence(KEY),
];
