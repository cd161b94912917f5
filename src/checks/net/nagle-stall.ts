import type { Connection } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { needsWindow, pass, unknown, warn } from '../findings.js';

export const nagleStall = defineCheck({
  id: 'nagle-stall',
  title: 'Small writes that wait for delayed ACKs',
  category: 'tcp',
  scope: 'netns',
  priority: 60,
  thresholds: {
    stallMs: {
      default: 20,
      unit: 'ms',
      description: 'Time with unacknowledged data per data segment sent, from which segments count as waiting.',
    },
    busy: { default: 30, unit: '%', description: 'Share of the window with unacknowledged data, at least.' },
    rttMs: { default: 10, unit: 'ms', description: 'Minimum RTT above which the path itself may explain the wait.' },
  },
  page: {
    mechanism:
      "A program that writes a request in two small pieces and then waits for the answer meets two algorithms at once. Nagle's holds the second piece back until the first is acknowledged; the peer has nothing to answer yet, so it delays that ACK, by 40 ms on Linux. Each request then takes 40 ms on an idle network.",
    reads:
      'Per picked connection, over the window: data segments in both directions, bytes, and the time with unacknowledged data (tcpi_busy_time); minimum RTT by tcp_info; TCP_NODELAY through a duplicate of the descriptor.',
    threshold:
      'warn: a connection without TCP_NODELAY, on a path with a minimum RTT under 10 ms and without retransmissions, exchanged small data segments in both directions, was waiting for an ACK for 30 % of the window and more, and for 20 ms and more per segment.',
    why: 'Each request on this connection waits about 40 ms for a timer, while network and CPU are idle.',
    remedy:
      'Set TCP_NODELAY in the program, or write each message in one piece (writev(), a buffered writer that is flushed, MSG_MORE for the first pieces).',
    risk: 'With TCP_NODELAY a program that writes byte by byte sends a packet for each: buffer in the program.',
    undo: 'Remove the option again.',
    needs: 'a change of the application or its configuration, and its restart',
    sources: [
      'tcp(7) (TCP_NODELAY, TCP_CORK)',
      'RFC 896 (the algorithm of Nagle)',
      'RFC 1122, section 4.2.3.2 (delayed ACKs)',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net, host } = context;
    if (!net.first) return [needsWindow()];
    const digest = net.last.sockets;
    if (!digest) return [unknown('the TCP sockets could not be read')];
    const waiting = digest.connections.filter((c) => waits(context, c));
    const stalled = waiting.filter((c) => c.options?.noDelay === false);
    const hidden = waiting.filter((c) => c.options?.noDelay === undefined).length;
    if (stalled.length === 0 && hidden > 0)
      return [
        unknown(`${hidden} connections wait for ACKs; whether they set TCP_NODELAY needs CAP_SYS_PTRACE to read`),
      ];
    if (stalled.length === 0)
      return [
        pass('no connection was seen waiting for delayed ACKs', [
          {
            source: 'sock_diag',
            key: 'connections with small unacknowledged segments',
            value: digest.pickedCounts['small-unacked'] ?? 0,
            unit: '1',
            scope: 'now',
          },
        ]),
      ];
    return stalled.map((c) => {
      const window = c.window ?? { ms: 0 };
      const sent = window.dataSegmentsOut ?? 0;
      const waitedMs = (window.busyUs ?? 0) / 1000;
      return warn(
        `${c.comm ?? 'a process'}${c.pid === undefined ? '' : ` (pid ${c.pid})`} waits for delayed ACKs on ${c.local} -> ${c.remote}: ${sent} small segments took ${waitedMs.toFixed(0)} ms (minimum RTT ${c.minRttUs ?? 0} µs), TCP_NODELAY is off`,
        [
          { source: 'getsockopt', key: 'TCP_NODELAY', value: false, unit: '', scope: 'now' },
          row('dataSegmentsOut', sent, 'segments'),
          row('dataSegmentsIn', window.dataSegmentsIn ?? 0, 'segments'),
          row('bytesSent', window.bytesSent ?? 0, 'bytes'),
          row('busyTime', window.busyUs ?? 0, 'us'),
          { source: 'sock_diag tcp_info', key: 'minRtt', value: c.minRttUs ?? 0, unit: 'us', scope: 'now' },
        ],
        {
          subject: {
            ...host.subject(c.pid),
            connection: `${c.local} -> ${c.remote}`,
            ...(c.fd === undefined ? {} : { fd: c.fd }),
          },
          weight: waitedMs,
        },
      );
    });
  },
});

const row = (key: string, value: number, unit: string) => ({
  source: 'sock_diag tcp_info',
  key,
  value,
  unit,
  scope: 'window' as const,
});

/** Everything but the option: small segments both ways, and a wait that neither path, loss nor buffers explain. */
function waits({ threshold }: NetContext, c: Connection): boolean {
  const w = c.window;
  if (!w || c.state !== 'established') return false;
  const { dataSegmentsOut = 0, dataSegmentsIn = 0, bytesSent = 0, busyUs = 0 } = w;
  if (dataSegmentsOut < 4 || dataSegmentsIn < 2) return false;
  if ((w.retransmits ?? 0) > 0 || (w.receiveWindowLimitedUs ?? 0) > 0 || (w.sendBufferLimitedUs ?? 0) > 0) return false;
  const small = bytesSent / dataSegmentsOut < (c.mssBytes ?? 536) / 2;
  const quickPath = c.minRttUs !== undefined && c.minRttUs < 1000 * threshold('rttMs');
  const waiting =
    busyUs >= 10 * threshold('busy') * w.ms && busyUs / dataSegmentsOut >= 1000 * threshold('stallMs') * 0.9;
  return small && quickPath && waiting;
}
