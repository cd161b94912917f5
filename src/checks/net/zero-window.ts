import type { Connection } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, needsWindow, pass, unknown, warn } from '../findings.js';

const TO_ZERO = 'TcpExtTCPToZeroWindowAdv';
const COUNTERS = [TO_ZERO, 'TcpExtTCPFromZeroWindowAdv', 'TcpExtTCPWantZeroWindowAdv'];

export const zeroWindow = defineCheck({
  id: 'zero-window',
  title: 'Receive windows closed to zero',
  category: 'tcp',
  scope: 'netns',
  priority: 65,
  thresholds: {
    perSecond: { default: 10, unit: '1/s', description: 'Windows closed per second that are a warning.' },
    unreadMs: {
      default: 1000,
      unit: 'ms',
      description: 'A connection whose window is zero, and that got nothing for this long, is stopped.',
    },
  },
  page: {
    mechanism:
      'When a program does not read, its receive buffer fills, and TCP tells the peer a window of zero: stop. The peer then sends probes at growing intervals until the window opens. The kernel counts each time a window goes to zero (TCPToZeroWindowAdv), opens again (TCPFromZeroWindowAdv), or should have been zero but could not be shrunk (TCPWantZeroWindowAdv).',
    reads:
      'The three counters in /proc/net/netstat, twice; tcpi_rcv_wnd, receive queue and time of the last data of each picked connection by sock_diag.',
    threshold:
      'warn: more than 10 windows per second went to zero, or a connection stands at zero with unread data and got nothing for a second. info: the counter moved more slowly than that.',
    why: 'The peer has stopped sending because a program here does not read; whoever waits for that program waits too.',
    remedy:
      'Look at what the named process does instead of reading: a blocked event loop, a full queue behind it, a lock, a stopped process. A proxy that passes back-pressure on does this on purpose: look at the side it waits for. A larger buffer only delays the stop.',
    risk: 'None: it is a matter of the application.',
    undo: 'Nothing was changed.',
    needs: 'a change in the application',
    sources: [
      'https://docs.kernel.org/networking/snmp_counter.html (TcpExtTCPFromZeroWindowAdv, TcpExtTCPToZeroWindowAdv, TcpExtTCPWantZeroWindowAdv)',
      'RFC 9293, section 3.8.6.1 (zero-window probing)',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net, threshold, host } = context;
    if (net.total(TO_ZERO) === undefined) return [unknown(`this kernel does not show ${TO_ZERO}`)];
    const delta = net.delta(TO_ZERO);
    if (delta === undefined || net.windowMs === undefined) return [needsWindow()];
    const evidence = COUNTERS.flatMap((counter) => net.evidence(counter));
    const stopped = (net.last.sockets?.connections ?? []).filter((c) => isStopped(c, threshold('unreadMs')));
    if (stopped.length > 0)
      return stopped.map((c) =>
        warn(
          `${c.comm ?? 'a process'}${c.pid === undefined ? '' : ` (pid ${c.pid})`} does not read ${c.local} -> ${c.remote}: ${c.recvQueueBytes} bytes wait, the window is zero, the peer has been stopped for ${c.lastDataReceivedMs} ms`,
          [
            ...evidence,
            { source: 'sock_diag tcp_info', key: 'tcpi_rcv_wnd', value: 0, unit: 'bytes', scope: 'now' },
            { source: 'sock_diag', key: 'receive queue', value: c.recvQueueBytes, unit: 'bytes', scope: 'now' },
            {
              source: 'sock_diag tcp_info',
              key: 'tcpi_last_data_recv',
              value: c.lastDataReceivedMs ?? 0,
              unit: 'ms',
              scope: 'now',
            },
          ],
          {
            subject: {
              ...host.subject(c.pid),
              connection: `${c.local} -> ${c.remote}`,
              ...(c.fd === undefined ? {} : { fd: c.fd }),
            },
            weight: c.recvQueueBytes,
          },
        ),
      );
    const perSecond = (1000 * delta) / net.windowMs;
    if (perSecond > threshold('perSecond'))
      return [warn(`${delta} receive windows were closed to zero (${perSecond.toFixed(0)} per second)`, evidence)];
    if (delta > 0) return [info(`${delta} receive windows were closed to zero within the window`, evidence)];
    return [pass('no receive window was closed to zero within the window', evidence)];
  },
});

/** Open, unread, closed to zero, and the peer silent since: it is not a moment between two reads. */
const isStopped = (c: Connection, unreadMs: number): boolean =>
  c.state === 'established' &&
  c.receiveWindowBytes === 0 &&
  c.recvQueueBytes > 0 &&
  (c.lastDataReceivedMs ?? 0) >= unreadMs;
