import { defineCheck, type Finding, type NetContext } from '../check.js';
import { needsWindow, pass, unknown, warn } from '../findings.js';
import { type Limit, limits } from './limits.js';
import { connectionName, connectionSubject } from './sockets.js';

export const pinnedBuffers = defineCheck({
  id: 'pinned-buffers',
  title: 'Buffers pinned by the program',
  category: 'tcp',
  scope: 'netns',
  priority: 52,
  thresholds: {
    percent: { default: 10, unit: '%', description: 'Share of the busy time that a sender must be limited.' },
  },
  page: {
    mechanism:
      'setsockopt(SO_RCVBUF) or SO_SNDBUF fixes the buffer of a socket and switches its automatic tuning off. A size that was generous once is then a limit that no sysctl lifts: throughput is at most window / RTT.',
    reads:
      'SO_BUF_LOCK of the picked connections (through a duplicate of the descriptor; Linux 5.15), and what limits them: see window-limited.',
    threshold: 'warn: a buffer set by the program while it limits the connection.',
    why: 'The program itself holds this connection back, and tuning the host cannot help it.',
    remedy:
      'Drop the setsockopt (often a configuration item such as "socket buffer size": set it to 0 or leave it out) and let the kernel tune. For a listener: it is inherited by what it accepts.',
    risk: 'A buffer that tunes itself may take more memory, up to the third value of tcp_rmem and tcp_wmem.',
    undo: "Set the size in the program's configuration again.",
    needs: 'restart of the application',
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (tcp_rmem, tcp_wmem: "Calling setsockopt() with SO_RCVBUF disables automatic tuning")',
      'socket(7): SO_RCVBUF, SO_SNDBUF',
    ],
  },
  judge(context: NetContext): Finding[] {
    if (context.net.last.sockets === undefined) return [unknown('the sockets of this namespace could not be read')];
    const found = limits(context, context.threshold('percent'));
    if (found === undefined) return [needsWindow()];
    const pinned = found.filter((limit) => limit.locked);
    return pinned.length > 0 ? pinned.map(describe) : [pass('no connection is held back by a buffer size of its own')];
  },
});

function describe({ connection, by, bytes, evidence }: Limit): Finding {
  const option = by === 'send-buffer' ? 'SO_SNDBUF' : 'SO_RCVBUF';
  const rtt = ((connection.minRttUs ?? 0) / 1000).toFixed(1);
  return warn(
    `${connectionName(connection)} is bound by a buffer that the program fixed by ${option}: ${bytes} bytes at a round trip of ${rtt} ms`,
    [{ source: 'SO_BUF_LOCK', key: option, value: true, unit: '', scope: 'now' }, ...evidence],
    { subject: connectionSubject(connection), weight: connection.window?.bytesReceived ?? 0 },
  );
}
