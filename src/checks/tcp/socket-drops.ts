import type { Connection } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, needsWindow, pass, unknown, warn } from '../findings.js';
import { connectionName, connectionSubject, dropEvidence, judgedConnections } from './sockets.js';

/** From this share of its receive buffer on, drops are put down to a reader that is too slow. */
const FULL = 0.5;

export const socketDrops = defineCheck({
  id: 'socket-drops',
  title: 'Drops of single connections',
  category: 'tcp',
  scope: 'netns',
  priority: 48,
  page: {
    mechanism:
      'Each socket counts the segments that the kernel threw away for it (sk_drops). For a TCP connection these are segments for which there was no room, but also harmless ones: duplicates after a retransmission that was not needed, data outside the window.',
    reads: 'skmem of the connections by sock_diag (the d figure of `ss -tm`), twice; receive memory beside it.',
    threshold:
      'warn: drops within the window at a connection whose receive buffer is at least half full. info: drops within the window with room in the buffer (duplicates, mostly).',
    why: 'The peer has to send again what this host had already received.',
    remedy:
      'Make the program read faster, or stop setting SO_RCVBUF, or raise the third value of net.ipv4.tcp_rmem where the buffer is at that cap; see receive-prune.',
    risk: 'Larger buffers hold more memory for each slow reader.',
    undo: 'Set net.ipv4.tcp_rmem, or the buffer size in the program, to what it was.',
    needs: 'a change in the application, or new connections',
    sources: ['ss(8): skmem, d<drop>'],
  },
  judge(context: NetContext): Finding[] {
    const connections = judgedConnections(context);
    if (connections === undefined) return [unknown('the sockets of this namespace could not be read')];
    if (context.net.first === undefined) return [needsWindow()];
    const dropping = connections.filter((connection) => (connection.window?.drops ?? 0) > 0);
    if (dropping.length === 0) return [pass('no connection dropped a segment within the window')];
    const full = dropping.filter((connection) => fill(connection) >= FULL);
    return full.length > 0 ? full.map(starved) : [duplicates(dropping)];
  },
});

const fill = ({ memory }: Connection): number =>
  memory && memory.receiveBuffer > 0 ? memory.receiveAlloc / memory.receiveBuffer : 0;

const total = ({ memory }: Connection) =>
  memory
    ? [{ source: 'sock_diag skmem', key: 'drops', value: memory.drops, unit: 'packets', scope: 'total' as const }]
    : [];

function starved(connection: Connection): Finding {
  const drops = connection.window?.drops ?? 0;
  return warn(
    `${connectionName(connection)} dropped ${drops} segments; its receive buffer is ${Math.round(100 * fill(connection))} % full, ${connection.recvQueueBytes} bytes are unread`,
    [
      dropEvidence(drops),
      ...total(connection),
      { source: 'sock_diag', key: 'unread', value: connection.recvQueueBytes, unit: 'bytes', scope: 'now' },
    ],
    { subject: connectionSubject(connection), weight: drops },
  );
}

function duplicates(dropping: Connection[]): Finding {
  const drops = dropping.reduce((sum, connection) => sum + (connection.window?.drops ?? 0), 0);
  const worst = dropping.toSorted((a, b) => (b.window?.drops ?? 0) - (a.window?.drops ?? 0))[0] as Connection;
  return info(
    `${drops} segments dropped at ${dropping.length} connections that had room for them (duplicates, mostly); most at ${connectionName(worst)}`,
    [dropEvidence(drops), ...total(worst)],
    { subject: connectionSubject(worst) },
  );
}
