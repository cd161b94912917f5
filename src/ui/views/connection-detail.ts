import type { ConnectionRow, Limit } from '../../model/views/connections.js';
import type { ProcessRow } from '../../model/views/processes.js';
import { bitRate, bytes, microseconds, milliseconds, percent, perSecond } from '../../report/units.js';
import { sparkline } from '../draw/graphs.js';
import type { Line } from '../draw/spans.js';
import { troubleOf } from './connections.js';
import { around, heading, labelled, listed } from './detail-lines.js';
import type { Scene } from './tab.js';

const LIMITS: Readonly<Record<Limit, string>> = {
  application: 'application: the process does not write more; the network would take it',
  'receive-window': "receive-window: the peer's window is full, it does not read fast enough",
  'send-buffer': 'send-buffer: the socket may not hold more unacknowledged data',
  congestion: 'congestion: the congestion window, thus the path',
};

const PAST_THE_KERNEL = 'past the kernel, which counts only what it still carries: so do these numbers';

/** Everything about one connection. */
export function connectionDetail(row: ConnectionRow, scene: Scene): readonly Line[] {
  const { columns } = scene;
  const line = (label: string, text: string | undefined) => labelled(label, text, columns);
  return [
    heading(`${row.local} ${scene.style.unicode ? '↔' : '<->'} ${row.remote}  ${row.state}`),
    ...labelled('Attention', troubleOf(row), columns, 'yellow'),
    ...line('Process', ownerOf(row)),
    ...line('', costOf(processOf(row.pid, scene))),
    ...line('Peer', peerOf(row, scene)),
    ...line('Limited by', row.limitedBy && LIMITS[row.limitedBy]),
    ...graphs(row, scene),
    ...line('Segments', segmentsOf(row)),
    ...line('Retransmits', listed(row.retransmits?.toString(), perSecond(row.rates?.retransmitsPerS))),
    ...line('Queues', queuesOf(row)),
    ...line('Windows', windowsOf(row)),
    ...line('Totals', listed(around('sent ', bytes(row.bytesSent)), around('received ', bytes(row.bytesReceived)))),
    ...line('Drops', listed(row.drops?.toString(), perSecond(row.rates?.dropsPerS))),
    ...line('Age', listed(milliseconds(row.ageMs), around('idle for ', milliseconds(row.idleMs)))),
    ...line('Transport', listed(row.transport, row.reason, row.transport !== 'kernel' && PAST_THE_KERNEL)),
    ...line('Socket', `cookie ${row.cookie}, inode ${row.inode}${row.interface ? `, bound to ${row.interface}` : ''}`),
  ];
}

const processOf = (pid: number | undefined, { frame }: Scene) =>
  pid === undefined ? undefined : frame.processes.find((process) => process.pid === pid);

function ownerOf(row: ConnectionRow): string | undefined {
  if (row.pid === undefined) return row.ownerCount === 0 ? 'none holds it any more' : `not visible, uid ${row.uid}`;
  return listed(
    `${row.comm ?? '?'} pid ${row.pid} fd ${row.fd ?? '?'}`,
    `uid ${row.uid}`,
    row.ownerCount > 1 && `held by ${row.ownerCount} processes`,
    around('container ', row.container),
    around('network namespace ', row.netns),
  );
}

function costOf(process: ProcessRow | undefined): string | undefined {
  if (process === undefined) return undefined;
  const samples = around(' (', process.socketShareSamples, ' samples)') ?? '';
  return listed(
    around('CPU ', percent(process.cpuShare)),
    around('', percent(process.kernelShare), ' of it in the kernel'),
    around('', percent(process.socketShare), ` in socket calls${samples}`),
    around('waits for a CPU ', milliseconds(process.runDelayMsPerS), ' per second'),
  );
}

function peerOf({ peer, isLocal }: ConnectionRow, scene: Scene): string | undefined {
  if (peer === undefined) return isLocal ? 'on this host, its process is not visible' : undefined;
  return listed(`${peer.comm} pid ${peer.pid} fd ${peer.fd} on this host`, costOf(processOf(peer.pid, scene)));
}

function graphs(row: ConnectionRow, { history, style, columns }: Scene): Line[] {
  const course = history.of(row.cookie);
  const line = (label: string, now: string | undefined, values: readonly (number | undefined)[]): Line[] => {
    if (now === undefined) return [];
    const text = now.padEnd(Math.min(36, Math.floor(columns / 2)));
    const room = columns - 14 - text.length;
    return [
      [{ text: ` ${label.padEnd(12)}`, ink: 'dim' }, text, ' ', { text: sparkline(values, room, style), ink: 'cyan' }],
    ];
  };
  const spread = around(' ± ', microseconds(row.rttVarUs)) ?? '';
  const rtt = around('', microseconds(row.rttUs), spread + (around(', least ', microseconds(row.minRttUs)) ?? ''));
  const delivery = around(', delivers ', bitRate(row.deliveryRateBps)) ?? '';
  return [
    ...line('RTT', rtt, course.rttUs),
    ...line('Sending', around('', bitRate(row.rates?.sendBps), delivery), course.sendBps),
    ...line('Receiving', bitRate(row.rates?.receiveBps), course.receiveBps),
  ];
}

function segmentsOf({ rates, segmentsOut, segmentsIn }: ConnectionRow): string | undefined {
  return listed(
    around('out ', perSecond(rates?.segmentsOutPerS), around(' (', segmentsOut, ' in all)')),
    around('in ', perSecond(rates?.segmentsInPerS), around(' (', segmentsIn, ' in all)')),
  );
}

function queuesOf(row: ConnectionRow): string | undefined {
  if (row.state === 'listen') return `${row.recvQueueBytes} connections wait, ${row.sendQueueBytes} may`;
  const unsent = around(' (', bytes(row.notSentBytes), ' of it not sent yet)') ?? '';
  return `send ${bytes(row.sendQueueBytes)}${unsent}, receive ${bytes(row.recvQueueBytes)} not read yet`;
}

function windowsOf({ cwndSegments, mssBytes, ...row }: ConnectionRow): string | undefined {
  const window = cwndSegments !== undefined && mssBytes !== undefined ? cwndSegments * mssBytes : undefined;
  return listed(
    around('congestion ', bytes(window), ` (${cwndSegments} x ${mssBytes})`),
    around('the peer accepts ', bytes(row.sendWindowBytes)),
    around('we accept ', bytes(row.receiveWindowBytes)),
    row.congestionControl,
  );
}
