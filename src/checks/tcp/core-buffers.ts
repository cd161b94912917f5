import type { Evidence, Subject } from '../../model/results.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import { judgedPids, type NetView } from '../view.js';
import { connectionSubject, judgedConnections } from './sockets.js';

const RECEIVE = 'net.core.rmem_max';
const SEND = 'net.core.wmem_max';
/** 4 MiB: the default of current kernels. */
const AMPLE = 4 * 2 ** 20;

export const coreBuffers = defineCheck({
  id: 'core-buffers',
  title: 'Buffer sizes cut down by rmem_max and wmem_max',
  category: 'socket',
  scope: 'netns',
  priority: 42,
  page: {
    mechanism:
      'A program may ask for a buffer by SO_RCVBUF or SO_SNDBUF, but unprivileged it gets no more than net.core.rmem_max and wmem_max; the kernel says nothing and doubles what it grants. UDP sockets (QUIC, DNS, media) have no tuning of their own, so that this is all they get. For TCP these keys do not cap the automatic tuning: tcp_rmem and tcp_wmem do.',
    reads:
      'skmem of UDP sockets that drop or queue and of picked TCP connections by sock_diag; rmem_max and wmem_max of the namespace. A buffer of exactly twice the cap means that its program asked for the cap or more.',
    threshold:
      'warn: a UDP socket at the cap that dropped datagrams within the window. info: sockets at the cap without drops. Nothing is said about the values alone.',
    why: 'Datagrams are lost although the program asked for room for them.',
    remedy: 'Raise net.core.rmem_max (or wmem_max) to 4 MiB or more and restart the program, so that it asks again.',
    risk: 'Each such socket may hold that much memory.',
    undo: 'Set net.core.rmem_max and net.core.wmem_max to what they were.',
    needs: 'restart of the application',
    tune: { keys: ['net.core.rmem_max'] },
    sources: [
      'https://docs.kernel.org/admin-guide/sysctl/net.html (rmem_max, wmem_max)',
      'socket(7): SO_RCVBUF, SO_SNDBUF',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const receive = net.sysctlNumber(RECEIVE);
    const send = net.sysctlNumber(SEND);
    if (receive === undefined || send === undefined) return [unknown(`${RECEIVE} and ${SEND} could not be read`)];
    const sockets = clampedSockets(context, receive, send);
    if (sockets === undefined) return [unknown('the sockets of this namespace could not be read')];
    const settings = [net.sysctlEvidence(RECEIVE), net.sysctlEvidence(SEND)];
    const dropping = sockets.filter((socket) => socket.drops > 0);
    if (dropping.length > 0) return dropping.map((socket) => lossy(net, socket, settings));
    const first = sockets[0];
    if (!first) return [pass('no socket looked at has the largest buffer that it may ask for', settings)];
    const summary = `${sockets.length} sockets have the largest buffer that ${RECEIVE} or ${SEND} grant, ${first.name} among them; no drops seen`;
    return [info(summary, [...settings, ...sockets.slice(0, 10).map(bufferEvidence)], { subject: first.subject })];
  },
});

interface Clamped {
  name: string;
  key: string;
  bytes: number;
  drops: number;
  subject: Subject;
}

function clampedSockets(context: NetContext, receive: number, send: number): Clamped[] | undefined {
  const { net, host, snapshot } = context;
  const connections = judgedConnections(context);
  if (connections === undefined || net.last.sockets === undefined) return undefined;
  const judged = judgedPids(snapshot);
  const udp = net.last.sockets.udp.filter(({ pid }) => pid === undefined || judged(pid));
  return [
    ...udp.flatMap(({ local, pid, memory, windowDrops = 0 }) => {
      const subject = { ...host.subject(pid), listener: local };
      const row = { name: `UDP ${local}`, subject };
      if (memory?.receiveBuffer === 2 * receive)
        return [{ ...row, key: RECEIVE, bytes: memory.receiveBuffer, drops: windowDrops }];
      return memory?.sendBuffer === 2 * send ? [{ ...row, key: SEND, bytes: memory.sendBuffer, drops: 0 }] : [];
    }),
    ...connections.flatMap((connection) => {
      const { memory, options, local, remote } = connection;
      const row = { name: `TCP ${local} -> ${remote}`, drops: 0, subject: connectionSubject(connection) };
      if (options?.receiveBufferLocked && memory?.receiveBuffer === 2 * receive)
        return [{ ...row, key: RECEIVE, bytes: memory.receiveBuffer }];
      if (options?.sendBufferLocked && memory?.sendBuffer === 2 * send)
        return [{ ...row, key: SEND, bytes: memory.sendBuffer }];
      return [];
    }),
  ];
}

const bufferEvidence = ({ key, bytes, subject }: Clamped): Evidence => ({
  source: 'sock_diag skmem',
  key: key === RECEIVE ? 'receive buffer' : 'send buffer',
  value: bytes,
  unit: 'bytes',
  scope: 'now',
  subject,
});

function lossy(net: NetView, socket: Clamped, settings: Evidence[]): Finding {
  const now = net.sysctlNumber(RECEIVE) ?? 0;
  return warn(
    `${socket.name} dropped ${socket.drops} datagrams with the largest buffer that ${RECEIVE} (${now}) grants`,
    [
      { source: 'sock_diag skmem', key: 'drops', value: socket.drops, unit: 'packets', scope: 'window' },
      bufferEvidence(socket),
      ...settings,
    ],
    {
      subject: { ...socket.subject, key: RECEIVE },
      weight: socket.drops,
      remedy: {
        summary: `Raise ${RECEIVE} and restart the program, if it reads as fast as it can`,
        ...setSysctls(net, { [RECEIVE]: Math.max(AMPLE, 2 * now) }),
      },
    },
  );
}
