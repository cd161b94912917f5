import type { UnixSocket } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, pass, unknown, warn } from '../findings.js';

const QLEN = 'net.unix.max_dgram_qlen';

export const unixSockets = defineCheck({
  id: 'unix-sockets',
  title: 'UNIX sockets whose queue is full',
  category: 'socket',
  scope: 'netns',
  priority: 75,
  thresholds: {
    warn: { default: 80, unit: '%', description: 'Use of a backlog that is a warning.' },
    fail: { default: 95, unit: '%', description: 'Use of a backlog, at both readings, that is a failure.' },
  },
  page: {
    mechanism:
      'connect() to a UNIX listener whose queue is full waits until the program accepts (or fails with EAGAIN when it must not wait); there is no timeout and no retransmission as in TCP. A datagram socket holds at most net.unix.max_dgram_qlen messages from others; the sender of the next one waits in the kernel, or gets EAGAIN.',
    reads:
      'Queue and backlog of each listening UNIX socket by unix_diag; threads that wait in unix_wait_for_peer (/proc/PID/task/TID/wchan); net.unix.max_dgram_qlen.',
    threshold:
      'warn: a queue holds 80 % and more of what fits (backlog plus one). fail: 95 % and more at both readings. warn: a thread waits in the kernel for room in a UNIX queue.',
    why: 'Local clients wait in connect() or send() until this program takes what is queued.',
    remedy:
      'Find why the program does not accept or read: it may be stopped, blocked, or out of descriptors. A larger backlog in listen() (at most net.core.somaxconn) or net.unix.max_dgram_qlen only rides out bursts.',
    risk: 'A longer queue hides a slow program behind longer waits.',
    undo: `sysctl -w ${QLEN}=<former value>`,
    needs: 'restart of the program: both are taken over when a socket is made',
    sources: ['unix(7)', 'listen(2)', 'connect(2) (EAGAIN)'],
  },
  judge(context: NetContext): Finding[] {
    const { net, host } = context;
    const sockets = net.last.sockets?.unix;
    if (!sockets) return [unknown('the UNIX sockets could not be read')];
    const findings = [...sockets.flatMap((socket) => listenerFinding(context, socket)), ...waitingSenders(context)];
    if (findings.length > 0) return findings;
    const listeners = sockets.filter((s) => s.listening);
    const fullest = listeners.toSorted((a, b) => use(b) - use(a))[0];
    return [
      pass(
        fullest === undefined
          ? 'no UNIX socket listens'
          : `${listeners.length} UNIX listeners, the fullest queue holds ${fullest.queue} of ${capacity(fullest)}`,
        [
          ...(fullest === undefined ? [] : evidenceOf(fullest)),
          ...(net.sysctl(QLEN) === undefined ? [] : [net.sysctlEvidence(QLEN)]),
        ],
        fullest?.pid === undefined ? {} : { subject: host.subject(fullest.pid) },
      ),
    ];
  },
});

/** unix_stream_connect() waits while the queue is longer than the backlog: one more fits. */
const capacity = (s: UnixSocket): number => (s.backlog ?? 0) + 1;
const use = (s: UnixSocket): number => (100 * s.queue) / capacity(s);

function listenerFinding({ net, host, threshold }: NetContext, socket: UnixSocket): Finding[] {
  if (!socket.listening || socket.backlog === undefined || use(socket) < threshold('warn')) return [];
  const before = net.first?.sockets?.unix.find((s) => s.inode === socket.inode && s.listening);
  const lasting = before !== undefined && use(before) >= threshold('fail') && use(socket) >= threshold('fail');
  const path = socket.path === '' ? `inode ${socket.inode}` : socket.path;
  const owner = socket.pid === undefined ? 'owner not visible' : `${socket.comm}, pid ${socket.pid}`;
  return [
    (lasting ? fail : warn)(
      `${path} (${owner}): ${socket.queue} connections wait for accept(), ${capacity(socket)} fit`,
      evidenceOf(socket),
      {
        subject: { ...host.subject(socket.pid), listener: path, ...(socket.fd === undefined ? {} : { fd: socket.fd }) },
        weight: use(socket),
      },
    ),
  ];
}

const evidenceOf = (s: UnixSocket) => [
  { source: 'unix_diag', key: 'queue', value: s.queue, unit: 'connections', scope: 'now' as const },
  { source: 'unix_diag', key: 'backlog', value: s.backlog ?? 0, unit: 'connections', scope: 'now' as const },
];

/** unix_diag does not count queued datagrams; a sender that the kernel made wait is the evidence there is. */
function waitingSenders({ net, host }: NetContext): Finding[] {
  const here = new Set(net.processes.map((p) => p.last.pid));
  return host.threads
    .filter(({ last }) => last.waitChannel === 'unix_wait_for_peer' && here.has(last.pid))
    .map(({ last }) =>
      warn(
        `${last.comm} (pid ${last.pid}, thread ${last.tid}) waits for room in the queue of a UNIX socket`,
        [
          { source: `/proc/${last.pid}/task/${last.tid}/wchan`, key: 'wchan', value: 'unix_wait_for_peer', unit: '' },
          ...(net.sysctl(QLEN) === undefined ? [] : [net.sysctlEvidence(QLEN)]),
        ],
        { subject: { ...host.subject(last.pid), tid: last.tid } },
      ),
    );
}
