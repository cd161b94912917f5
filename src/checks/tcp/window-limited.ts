import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, needsWindow, pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import { type Limit, limits } from './limits.js';
import { connectionName, connectionSubject } from './sockets.js';

export const windowLimited = defineCheck({
  id: 'window-limited',
  title: 'Throughput bound by a window or buffer',
  category: 'tcp',
  scope: 'netns',
  priority: 55,
  thresholds: {
    percent: { default: 10, unit: '%', description: 'Share of the busy time that a sender must be limited.' },
  },
  page: {
    mechanism:
      'A sender may have no more in flight than the window that the receiver offers and its own send buffer hold: throughput is at most window / RTT. Both grow by themselves up to the third value of net.ipv4.tcp_rmem (about half of it is window) and net.ipv4.tcp_wmem. On a long and fast path that cap may be less than the bandwidth-delay product.',
    reads:
      'Per connection by sock_diag: busy, receive-window-limited and send-buffer-limited time (tcp_info) and bytes over the window, minimum RTT, offered window, buffers (skmem), unread bytes; tcp_rmem and tcp_wmem of the namespace. The 20 connections with most of each.',
    threshold:
      'warn: a receive buffer at its cap, whose program reads at once, and at least 70 % of the offered window in flight (rate × minimum RTT); or a send buffer at its cap that limited for more than 10 % of the busy time, or is full with all of it in flight while the congestion window would allow more. info: the window of a peer on another host is the limit. A receiver that does not read is no such case.',
    why: 'The path and the programs could move more than these buffers let them.',
    remedy:
      'Raise the third value of tcp_rmem (receiver) or tcp_wmem (sender) to at least twice the bandwidth-delay product. As a rule for hosts that move bulk data over long paths: 128 MiB at 10 Gbit/s, 256 MiB at 40 Gbit/s and more.',
    risk: 'More memory per connection, and longer queues in the network where its routers buffer much (bufferbloat).',
    undo: 'Set net.ipv4.tcp_rmem and net.ipv4.tcp_wmem to what they were.',
    needs: 'nothing: buffers of open connections may grow as well',
    tune: { keys: ['net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'] },
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (tcp_rmem, tcp_wmem)',
      'https://fasterdata.es.net/host-tuning/linux/',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    if (net.last.sockets === undefined) return [unknown('the sockets of this namespace could not be read')];
    const found = limits(context, context.threshold('percent'));
    if (found === undefined) return [needsWindow()];
    const autotuned = found.filter((limit) => !limit.locked);
    if (autotuned.length === 0)
      return [
        pass('no connection looked at is bound by a window or buffer at its cap', [
          net.sysctlEvidence('net.ipv4.tcp_rmem'),
          net.sysctlEvidence('net.ipv4.tcp_wmem'),
        ]),
      ];
    return autotuned.map((limit) => describe(context, limit));
  },
});

function describe({ net }: NetContext, limit: Limit): Finding {
  const { connection, by, bytes, key, wanted, evidence } = limit;
  const subject = connectionSubject(connection);
  const rtt = `${((connection.minRttUs ?? 0) / 1000).toFixed(1)} ms`;
  if (by === 'peer-window')
    return info(
      `${connectionName(connection)} fills the window of its peer (${bytes} bytes at ${rtt}): the buffer there is the limit`,
      evidence,
      { subject },
    );
  return warn(
    `${connectionName(connection)} is bound by its ${by === 'send-buffer' ? 'send' : 'receive'} buffer: ${bytes} bytes, the cap of ${key}, at a round trip of ${rtt}`,
    evidence,
    {
      subject: { ...subject, key },
      weight: connection.window?.bytesReceived ?? 0,
      remedy: { summary: `Raise the third value of ${key}`, ...setSysctls(net, { [key]: wanted }) },
    },
  );
}
