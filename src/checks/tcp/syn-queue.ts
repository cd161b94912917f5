import type { Listener } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, warn } from '../findings.js';
import { commandIn } from '../remedies.js';
import { growthOfAll, still } from './counters.js';
import { judgedListeners, listenerBefore, listenerSubject, nameOf } from './sockets.js';

const COOKIES = 'TcpExtTCPReqQFullDoCookies';
const DROPPED = 'TcpExtTCPReqQFullDrop';
const ALL = [COOKIES, DROPPED] as const;
const SOMAXCONN = 'net.core.somaxconn';

export const synQueue = defineCheck({
  id: 'syn-queue',
  title: 'SYN queue overflows',
  category: 'tcp',
  scope: 'netns',
  priority: 88,
  page: {
    mechanism:
      "Each half-open connection (SYN_RECV: SYN-ACK sent, ACK not yet there) counts against its listener's backlog. When as many are half open as the backlog allows, the kernel answers further SYNs with SYN cookies or, where net.ipv4.tcp_syncookies is 0, drops them. net.ipv4.tcp_max_syn_backlog matters only with SYN cookies off.",
    reads:
      'TcpExtTCPReqQFullDoCookies and TcpExtTCPReqQFullDrop in /proc/net/netstat, twice; SYN_RECV sockets per listener by sock_diag.',
    threshold:
      'fail: TCPReqQFullDrop grew within the window. warn: TCPReqQFullDoCookies grew. info: one is above zero, and did not move.',
    why: 'Dropped SYNs cost clients a second and more each; connections opened by a cookie lose window scaling and SACK where timestamps are off.',
    remedy:
      "Larger listen() backlog in the program's configuration, net.core.somaxconn as large, then make it listen again. Where clients really cannot answer (lost SYN-ACKs, a flood from false addresses) a backlog does not help: see syncookies.",
    risk: 'About 304 bytes of memory for each half-open connection.',
    undo: 'Set the former backlog and net.core.somaxconn again and restart the listener.',
    needs: 'restart of the listening program',
    tune: { keys: ['net.ipv4.tcp_syncookies'] },
    sources: ['https://docs.kernel.org/networking/ip-sysctl.html (tcp_max_syn_backlog, tcp_syncookies, somaxconn)'],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const growth = growthOfAll(net, ALL);
    if (Array.isArray(growth)) return growth;
    const dropped = growth[DROPPED].delta;
    const cookies = growth[COOKIES].delta;
    if (dropped + cookies === 0)
      return still(net, growth[DROPPED].total + growth[COOKIES].total, 'SYNs met a full SYN queue', ...ALL);
    return [overflow(context, dropped, cookies)];
  },
});

function overflow(context: NetContext, dropped: number, cookies: number): Finding {
  const { net } = context;
  const listener = fullest(context);
  const what =
    dropped > 0
      ? `${dropped} SYNs were dropped because a SYN queue was full`
      : `${cookies} SYNs met a full SYN queue and were answered with cookies`;
  return (dropped > 0 ? fail : warn)(
    listener ? `${what}; ${nameOf(listener)} has ${listener.synReceived} half open, backlog ${listener.backlog}` : what,
    [
      ...ALL.flatMap((counter) => net.evidence(counter)),
      net.sysctlEvidence('net.ipv4.tcp_syncookies'),
      ...(listener
        ? [
            {
              source: 'sock_diag',
              key: 'SYN_RECV',
              value: listener.synReceived,
              unit: 'connections',
              scope: 'now' as const,
            },
            {
              source: 'sock_diag',
              key: 'backlog',
              value: listener.backlog,
              unit: 'connections',
              scope: 'now' as const,
            },
          ]
        : []),
    ],
    {
      ...(listener ? { subject: listenerSubject(listener) } : {}),
      weight: dropped || cookies,
      ...remedyOf(net, dropped),
    },
  );
}

/** The listener with the largest share of half-open connections at either reading. */
function fullest(context: NetContext): Listener | undefined {
  const halfOpen = (listener: Listener) =>
    Math.max(listener.synReceived, listenerBefore(context, listener)?.synReceived ?? 0) / (listener.backlog + 1);
  return (judgedListeners(context) ?? [])
    .filter((listener) => halfOpen(listener) > 0)
    .toSorted((a, b) => halfOpen(b) - halfOpen(a))[0];
}

/** Where cookies are off, turning them on is what keeps clients from being dropped today. */
function remedyOf(net: NetContext['net'], dropped: number) {
  if (dropped === 0 || net.sysctl('net.ipv4.tcp_syncookies') !== '0') return {};
  return {
    remedy: {
      summary: `Turn SYN cookies on, so that no SYN is dropped meanwhile; then give the listener a larger backlog (${SOMAXCONN} is ${net.sysctl(SOMAXCONN) ?? 'unknown'}) and restart it`,
      commands: [commandIn(net, 'sysctl -w net.ipv4.tcp_syncookies=1')],
      tunes: [{ key: 'net.ipv4.tcp_syncookies', from: '0', to: '1' }],
      undo: commandIn(net, 'sysctl -w net.ipv4.tcp_syncookies=0'),
    },
  };
}
