import type { UdpSocket } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, needsWindow, pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import type { NetView } from '../view.js';

const FAMILIES = ['Udp', 'Udp6'] as const;
type Kind = 'RcvbufErrors' | 'SndbufErrors' | 'MemErrors';

const MEANING: Record<Kind, string> = {
  RcvbufErrors: 'datagrams were dropped because the receive buffer of their socket was full',
  SndbufErrors: 'datagrams could not be sent because a send buffer was full',
  MemErrors: 'datagrams were dropped because UDP as a whole used its memory up (udp_mem)',
};

export const udpBuffers = defineCheck({
  id: 'udp-buffers',
  title: 'UDP buffer errors',
  category: 'udp',
  scope: 'netns',
  priority: 85,
  thresholds: {
    sinceBoot: { default: 0.1, unit: '%', description: 'Share of datagrams lost since boot that is a warning.' },
  },
  page: {
    mechanism:
      'UDP has no flow control: a datagram that finds the receive buffer of its socket full is dropped, and only a counter tells. The buffer is what the program asked for with SO_RCVBUF (doubled by the kernel, at most net.core.rmem_max), else net.core.rmem_default; small datagrams use several times their length of it.',
    reads:
      'RcvbufErrors, SndbufErrors and MemErrors of Udp in /proc/net/snmp and of Udp6 in /proc/net/snmp6, twice; drops and buffer of each UDP socket by sock_diag.',
    threshold:
      'fail: a counter grew within the window. warn: none grew, but since boot 100 datagrams and more, and more than 0.1 % of all, were lost. info: fewer.',
    why: 'Datagrams are lost on this host after the network delivered them; the sender does not learn of it.',
    remedy:
      'The program reads too slowly for its bursts: more receiving threads (SO_REUSEPORT), recvmmsg(), or a larger SO_RCVBUF. When the program asks for more than net.core.rmem_max allows, raise that; when it asks for nothing, net.core.rmem_default.',
    risk: 'A larger buffer rides out bursts only, and each socket may hold that much memory.',
    undo: 'sysctl -w net.core.rmem_max=<former value> net.core.rmem_default=<former value>',
    needs: 'restart of the receiving program: a buffer is sized when the socket is made or SO_RCVBUF is set',
    tune: { keys: ['net.core.rmem_max', 'net.core.rmem_default'] },
    sources: [
      'udp(7)',
      'socket(7) (SO_RCVBUF, rmem_default, rmem_max)',
      'https://docs.kernel.org/networking/ip-sysctl.html (udp_mem)',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    if (net.total('UdpRcvbufErrors') === undefined) return [unknown('the UDP counters could not be read')];
    if (!net.first) return [needsWindow()];
    const bad = FAMILIES.flatMap((family) =>
      (Object.keys(MEANING) as Kind[]).flatMap((kind) => grown(context, family, kind)),
    );
    return bad.length > 0 ? bad : [sinceBoot(context)];
  },
});

function grown(context: NetContext, family: 'Udp' | 'Udp6', kind: Kind): Finding[] {
  const { net, host } = context;
  const counter = `${family}${kind}`;
  const delta = net.delta(counter) ?? 0;
  if (delta === 0) return [];
  const text = `${delta} ${MEANING[kind]}${family === 'Udp6' ? ' (IPv6)' : ''}`;
  const evidence = net.evidence(counter);
  if (kind === 'MemErrors')
    return [fail(text, [...evidence, net.sysctlEvidence('net.ipv4.udp_mem')], { weight: delta })];
  const socket = kind === 'RcvbufErrors' ? dropping(net, family)[0] : undefined;
  if (!socket) return [fail(text, evidence, { weight: delta })];
  return [
    fail(
      `${text}; ${Math.min(delta, socket.windowDrops ?? 0)} of them at ${socket.local} (${socket.comm ?? 'owner not visible'}${socket.pid === undefined ? '' : `, pid ${socket.pid}`}), buffer ${socket.memory?.receiveBuffer ?? '?'} bytes`,
      [
        ...evidence,
        ...dropping(net, family)
          .slice(0, 5)
          .map((s) => ({
            source: 'sock_diag skmem',
            key: 'drops',
            value: s.windowDrops ?? 0,
            unit: 'packets',
            scope: 'window' as const,
            subject: { listener: s.local, ...(s.pid === undefined ? {} : { pid: s.pid }) },
          })),
      ],
      {
        subject: {
          ...host.subject(socket.pid),
          listener: socket.local,
          ...(socket.fd === undefined ? {} : { fd: socket.fd }),
        },
        weight: delta,
        ...remedyFor(net, socket),
      },
    ),
  ];
}

function dropping(net: NetView, family: 'Udp' | 'Udp6'): UdpSocket[] {
  return (net.last.sockets?.udp ?? [])
    .filter((s) => (s.windowDrops ?? 0) > 0 && s.local.startsWith('[') === (family === 'Udp6'))
    .toSorted((a, b) => (b.windowDrops ?? 0) - (a.windowDrops ?? 0));
}

/** Which limit holds this socket's buffer down; the kernel doubles what SO_RCVBUF asks for, up to twice rmem_max. */
function remedyFor(net: NetView, { memory }: UdpSocket): Pick<Finding, 'remedy'> {
  const max = net.sysctlNumber('net.core.rmem_max');
  const byDefault = net.sysctlNumber('net.core.rmem_default');
  const buffer = memory?.receiveBuffer;
  if (buffer === undefined) return {};
  const raise = (key: string, from: number, summary: string) => ({
    remedy: {
      summary,
      ...setSysctls(net, { [key]: 4 * from }),
    },
  });
  if (max !== undefined && buffer === 2 * max)
    return raise('net.core.rmem_max', max, 'Its SO_RCVBUF is clamped by net.core.rmem_max: raise that');
  if (byDefault !== undefined && buffer === byDefault)
    return raise(
      'net.core.rmem_default',
      byDefault,
      'It uses the default buffer: let it set SO_RCVBUF (best), or raise net.core.rmem_default',
    );
  return { remedy: { summary: `Let the program ask for a larger SO_RCVBUF than ${buffer / 2} bytes, or read faster` } };
}

function sinceBoot({ net, threshold }: NetContext): Finding {
  const counters = FAMILIES.flatMap((family) => (Object.keys(MEANING) as Kind[]).map((kind) => `${family}${kind}`));
  const lost = counters.reduce((sum, counter) => sum + (net.total(counter) ?? 0), 0);
  const moved = ['UdpInDatagrams', 'Udp6InDatagrams', 'UdpOutDatagrams', 'Udp6OutDatagrams'].reduce(
    (sum, counter) => sum + (net.total(counter) ?? 0),
    0,
  );
  const evidence = counters.filter((c) => (net.total(c) ?? 0) > 0).flatMap((c) => net.evidence(c));
  if (lost === 0)
    return pass('no UDP datagram was lost for want of a buffer since boot', net.evidence('UdpRcvbufErrors'));
  const share = (100 * lost) / (moved + lost);
  return (share > threshold('sinceBoot') && lost >= 100 ? warn : info)(
    `${lost} datagrams (${share.toFixed(2)} %) were lost for want of a buffer since boot, none within the window`,
    evidence,
    {
      remedy: {
        summary: 'Find the socket while it loses datagrams',
        commands: ['sockdoc check --only udp-buffers --for 10m'],
        risk: 'None: it only reads.',
        undo: 'Nothing was changed.',
        needs: 'nothing',
      },
    },
  );
}
