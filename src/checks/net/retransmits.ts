import type { Evidence } from '../../model/results.js';
import type { Connection } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, needsWindow, pass, unknown, warn } from '../findings.js';
import type { NetView } from '../view.js';

const RETRANSMITTED = 'TcpRetransSegs';
const SENT = 'TcpOutSegs';
const SYN = 'TcpExtTCPSynRetrans';
const SPLIT = [SYN, 'TcpExtTCPTimeouts', 'TcpExtTCPLostRetransmit', 'TcpExtTCPFastRetrans', 'TcpExtTCPLossProbes'];

/** Below this minimum RTT a path does not leave the site. */
const SITE_RTT_US = 2000;

export const retransmits = defineCheck({
  id: 'retransmits',
  title: 'Retransmitted segments',
  category: 'tcp',
  scope: 'netns',
  priority: 80,
  thresholds: {
    wan: { default: 1, unit: '%', description: 'Share of retransmitted segments that is a warning.' },
    site: {
      default: 0.1,
      unit: '%',
      description: 'The same when every connection that retransmits has a minimum RTT below 2 ms.',
    },
    severe: { default: 5, unit: '%', description: 'Share that is a failure.' },
    segments: { default: 200, unit: 'segments', description: 'Sent segments below which no share is judged.' },
    retransmitted: { default: 5, unit: 'segments', description: 'Retransmissions below which no share is judged.' },
  },
  page: {
    mechanism:
      'A segment that is not acknowledged is sent again: after duplicate ACKs or SACKs (fast retransmit, about one round trip later), after a tail loss probe, or, when nothing comes back, after the retransmission timeout (200 ms and more, doubled each time). Loss also halves the congestion window (CUBIC), so throughput falls long before a connection breaks.',
    reads:
      'TcpRetransSegs and TcpOutSegs in /proc/net/snmp, split by TCPSynRetrans, TCPTimeouts, TCPLostRetransmit, TCPFastRetrans and TCPLossProbes in /proc/net/netstat, twice; retransmissions of single connections from tcp_info by sock_diag.',
    threshold:
      'Retransmissions other than of SYNs, divided by sent segments, once at least 200 segments were sent and 5 repeated in the window. warn: above 1 %, or above 0.1 % when every connection that retransmits has a minimum RTT under 2 ms. fail: above 5 %. A SYN of this host that is sent again is a warning of its own. TcpOutSegs counts pure ACKs too and leaves retransmissions out, so on a host that mostly receives the share of lost data is higher than shown.',
    why: 'Each loss costs its connection a round trip, or a timeout of 200 ms and more, and shrinks its sending rate.',
    remedy:
      'Find where the path loses: compare the connections named here (one peer, one interface, everybody?), then qdisc and NIC drops on this host (checks qdisc, ring, softnet-dropped), then the path hop by hop (mtr --tcp). Mostly timeouts point at bursts or a broken path; lost retransmissions at a policer. On a path that loses at random BBR keeps its rate where CUBIC does not.',
    risk: 'BBR takes a larger share than CUBIC on a shared bottleneck with small buffers. Looking for the place of loss is free of risk.',
    undo: 'sysctl -w net.ipv4.tcp_congestion_control=<former value>',
    needs: 'nothing to find the path; new connections for another congestion control',
    sources: [
      'https://docs.kernel.org/networking/snmp_counter.html (TcpExtTCPSynRetrans, TcpExtTCPLostRetransmit, TcpExtTCPFastRetrans)',
      'RFC 6298 (retransmission timer), RFC 8985 (RACK and tail loss probes)',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    if (net.total(RETRANSMITTED) === undefined || net.total(SENT) === undefined)
      return [unknown(`${RETRANSMITTED} or ${SENT} could not be read`)];
    const repeated = net.delta(RETRANSMITTED);
    const sent = net.delta(SENT);
    if (repeated === undefined || sent === undefined) return [needsWindow()];
    const rows = suffering(net);
    return [dataPath(context, repeated, sent, rows), ...unansweredSyns(context, rows)];
  },
});

function suffering(net: NetView): Connection[] {
  return (net.last.sockets?.connections ?? [])
    .filter((c) => (c.window?.retransmits ?? 0) > 0)
    .toSorted((a, b) => (b.window?.retransmits ?? 0) - (a.window?.retransmits ?? 0));
}

function dataPath({ net, host, threshold }: NetContext, repeated: number, sent: number, rows: Connection[]): Finding {
  const data = repeated - Math.min(repeated, net.delta(SYN) ?? 0);
  const connected = rows.filter((c) => c.state !== 'syn-sent' && c.state !== 'syn-recv');
  const evidence = [
    ...net.evidence(RETRANSMITTED),
    ...net.evidence(SENT),
    ...SPLIT.flatMap((counter) => net.evidence(counter)),
    ...connected.slice(0, 5).map(rowEvidence),
  ];
  if (sent < threshold('segments') || data < threshold('retransmitted')) return quiet(net, data, sent, evidence);
  const share = (100 * data) / sent;
  const limit = onSite(connected) ? threshold('site') : threshold('wan');
  const text = `${data} of ${sent} segments were retransmitted within the window (${share.toFixed(2)} %)`;
  if (share <= limit) return pass(`${text}, under ${limit} %`, evidence);
  const worst = connected[0];
  const named = worst ? `; most on ${describe(worst)}` : '';
  return (share > threshold('severe') ? fail : warn)(`${text}${named}; ${kindOfLoss(net, data)}`, evidence, {
    weight: data,
    ...(worst ? { subject: { ...host.subject(worst.pid), connection: `${worst.local} -> ${worst.remote}` } } : {}),
  });
}

/** Too little to judge in the window: what happened since boot, for information. */
function quiet(net: NetView, data: number, sent: number, evidence: Evidence[]): Finding {
  const window = `${data} of ${sent} segments retransmitted within the window`;
  const everSent = net.total(SENT) ?? 0;
  const ever = (net.total(RETRANSMITTED) ?? 0) - (net.total(SYN) ?? 0);
  const share = everSent > 0 ? (100 * ever) / everSent : 0;
  return everSent >= 10_000 && share > 1
    ? info(`${window}; since boot ${share.toFixed(2)} % of ${everSent}`, evidence)
    : pass(window, evidence);
}

/**
 * SYNs of this host that nobody answers, by process and destination. Repeated SYN-ACKs count in the same counter, but
 * are what every scan causes.
 */
function unansweredSyns({ net, host }: NetContext, rows: Connection[]): Finding[] {
  const groups = new Map<string, Connection[]>();
  for (const row of rows.filter((c) => c.state === 'syn-sent')) {
    const key = `${row.pid} ${row.remote}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((group) => {
    const c = group[0] as Connection;
    const again = group.reduce((sum, { window }) => sum + (window?.retransmits ?? 0), 0);
    const owner = c.pid === undefined ? 'a process that is not visible' : `${c.comm} (pid ${c.pid})`;
    return warn(
      `${c.remote} does not answer the SYNs of ${owner}: ${group.length} connections wait, ${again} SYNs were sent again within the window`,
      [...net.evidence(SYN), ...group.slice(0, 5).map(rowEvidence)],
      {
        subject: { ...host.subject(c.pid), connection: `${c.local} -> ${c.remote}` },
        weight: again,
        why: 'The program waits to connect: a second for the first repeated SYN, then longer each time.',
        remedy: {
          summary: `Find out why ${c.remote} does not answer: it is down, a firewall drops silently, or its accept queue is full.`,
        },
      },
    );
  });
}

const onSite = (rows: Connection[]): boolean =>
  rows.length > 0 && rows.every((c) => c.minRttUs !== undefined && c.minRttUs < SITE_RTT_US);

const describe = (c: Connection): string =>
  `${c.local} -> ${c.remote} (${c.pid === undefined ? 'owner not visible' : `${c.comm}, pid ${c.pid}`})`;

function rowEvidence(c: Connection): Evidence {
  return {
    source: 'sock_diag tcp_info',
    key: 'retransmits',
    value: c.window?.retransmits ?? 0,
    unit: 'segments',
    scope: 'window',
    subject: { connection: `${c.local} -> ${c.remote}`, ...(c.pid === undefined ? {} : { pid: c.pid }) },
  };
}

function kindOfLoss(net: NetView, data: number): string {
  const timeouts = net.delta('TcpExtTCPTimeouts') ?? 0;
  const again = net.delta('TcpExtTCPLostRetransmit') ?? 0;
  const words = [`${timeouts} retransmission timeouts`];
  if (again > 0) words.push(`${again} retransmissions lost again`);
  if (timeouts * 2 > data) words.push('mostly timeouts: bursts of loss or a path that breaks');
  return words.join(', ');
}
