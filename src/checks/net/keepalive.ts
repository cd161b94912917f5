import type { Connection, NetnsFacts } from '../../model/snapshot/index.js';
import { contains } from '../../support/addresses.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, pass, unknown } from '../findings.js';

const KEY = 'net.ipv4.tcp_keepalive_time';

export const keepalive = defineCheck({
  id: 'keepalive',
  title: 'Keepalive against idle timeouts on the path',
  category: 'tcp',
  scope: 'netns',
  priority: 25,
  thresholds: {
    pathIdle: {
      default: 350,
      unit: 's',
      description: 'How long a NAT or load balancer on the path keeps a silent connection.',
    },
  },
  page: {
    mechanism:
      'NAT gateways, firewalls and load balancers forget a connection that is silent for some minutes (350 s is a common fixed value). The next byte is then dropped or answered with a reset. A keepalive probe in time keeps the entry alive; the kernel sends the first one after tcp_keepalive_time, 7200 s by default, and only for sockets with SO_KEEPALIVE.',
    reads:
      'net.ipv4.tcp_keepalive_time; for picked connections that are silent: SO_KEEPALIVE and TCP_KEEPIDLE of the socket, and the time since its last data by sock_diag.',
    threshold:
      'info: an established connection to a peer beyond a gateway has been silent for longer than 350 s, and its first probe comes later than that or never.',
    why: 'If something on the path forgets silent connections, this one breaks on its next use, and the program waits for retransmissions until it notices.',
    remedy:
      'Best in the program: SO_KEEPALIVE with TCP_KEEPIDLE below the idle timeout of the path, or a heartbeat of its protocol. For all programs that use SO_KEEPALIVE: tcp_keepalive_time 300, tcp_keepalive_intvl 75, tcp_keepalive_probes 9.',
    risk: 'A probe per silent connection every five minutes; dead peers are noticed earlier, which closes connections that would otherwise have lingered.',
    undo: 'sysctl -w net.ipv4.tcp_keepalive_time=7200',
    needs: 'nothing for sockets with SO_KEEPALIVE: the value is read when the timer is set again',
    tune: { keys: ['net.ipv4.tcp_keepalive_time'] },
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (tcp_keepalive_time, tcp_keepalive_intvl, tcp_keepalive_probes)',
      'tcp(7) (TCP_KEEPIDLE), socket(7) (SO_KEEPALIVE)',
      'RFC 5382, REQ-5 (a NAT is to keep an established session for 2 hours 4 minutes; what stands on the path may not)',
    ],
  },
  judge({ net, host, threshold }: NetContext): Finding[] {
    const idle = net.sysctlNumber(KEY);
    if (idle === undefined) return [unknown(`${KEY} could not be read`)];
    const limit = threshold('pathIdle');
    const beyond = (net.last.sockets?.connections ?? []).filter(
      (c) => c.state === 'established' && silentSeconds(c) > limit && !onLink(net.facts, c),
    );
    const silent = beyond.filter((c) => firstProbe(c, idle) > limit);
    const hidden = beyond.filter((c) => c.options?.keepAlive === undefined).length;
    if (silent.length === 0 && hidden > 0)
      return [unknown(`${hidden} connections are silent; whether they set SO_KEEPALIVE needs CAP_SYS_PTRACE to read`)];
    const evidence = [net.sysctlEvidence(KEY)];
    if (silent.length === 0)
      return [pass(`no connection seen that is silent for more than ${limit} s beyond a gateway`, evidence)];
    return silent.map((c) => {
      const probe = firstProbe(c, idle);
      const asks = c.options?.keepAlive === true;
      return info(
        `${c.local} -> ${c.remote} (${c.comm ?? 'owner not visible'}) is silent for ${silentSeconds(c)} s; ${
          asks ? `its first keepalive probe comes after ${probe} s` : 'it does not use SO_KEEPALIVE'
        }`,
        [
          ...evidence,
          { source: 'sock_diag tcp_info', key: 'silent', value: silentSeconds(c), unit: 's', scope: 'now' },
          ...(asks
            ? [{ source: 'getsockopt', key: 'TCP_KEEPIDLE', value: probe, unit: 's', scope: 'now' as const }]
            : []),
        ],
        {
          subject: { ...host.subject(c.pid), connection: `${c.local} -> ${c.remote}` },
          weight: silentSeconds(c),
          ...(asks && idle > 300 ? { remedy: lower(idle) } : {}),
        },
      );
    });
  },
});

const lower = (idle: number) => ({
  summary: 'Probe before the path forgets',
  commands: [`sysctl -w ${KEY}=300 net.ipv4.tcp_keepalive_intvl=75 net.ipv4.tcp_keepalive_probes=9`],
  tunes: [{ key: KEY, from: String(idle), to: '300' }],
  undo: `sysctl -w ${KEY}=${idle}`,
});

const silentSeconds = (c: Connection): number =>
  c.lastDataSentMs === undefined || c.lastDataReceivedMs === undefined
    ? 0
    : Math.floor(Math.min(c.lastDataSentMs, c.lastDataReceivedMs) / 1000);

/** Seconds of silence after which a probe is sent; infinite without SO_KEEPALIVE, 0 when that is not known. */
function firstProbe(c: Connection, byDefault: number): number {
  if (c.options?.keepAlive === undefined) return 0;
  if (!c.options.keepAlive) return Number.POSITIVE_INFINITY;
  return c.options.keepIdleS ?? byDefault;
}

/** No gateway lies between: the peer is this host or inside the prefix of one of our addresses. */
function onLink(facts: NetnsFacts, c: Connection): boolean {
  const remote = c.remote.slice(0, c.remote.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return facts.addresses.some((a) => contains(`${a.address}/${a.prefixLength}`, remote));
}
