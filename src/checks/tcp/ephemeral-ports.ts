import type { Remedy } from '../../model/results.js';
import type { PortUse } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, info, pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import type { NetView } from '../view.js';
import { blocked, isReserved, type PortRange, portRange, RANGE, RESERVED, withReserved } from './ports.js';

const FAIL_PERCENT = 95;
/** Wide, and above the ports that services by custom listen on. */
const WIDE_LOW = 10_240;
const WIDE_HIGH = 65_535;

export const ephemeralPorts = defineCheck({
  id: 'ephemeral-ports',
  title: 'Local ports for outgoing connections',
  category: 'tcp',
  scope: 'netns',
  priority: 92,
  thresholds: {
    percent: { default: 80, unit: '%', description: 'Share of the port range in use towards one destination.' },
  },
  page: {
    mechanism:
      'Each connection from one source address to one destination address and port needs a local port of its own out of net.ipv4.ip_local_port_range. A port stays taken for 60 seconds in TIME_WAIT on the side that closed first. When all are taken, connect() fails with EADDRNOTAVAIL; long before, it gets slow, since the kernel searches for a free one.',
    reads:
      'All TCP sockets by sock_diag, counted per source address, destination address and destination port; ip_local_port_range, ip_local_reserved_ports and tcp_tw_reuse of the namespace. Ports in TIME_WAIT that the kernel may take over (tcp_tw_reuse 1, or 2 on loopback, with timestamps on) are not counted as taken.',
    threshold:
      'warn: more than 80 % of the range taken for one source and destination. fail: 95 % and more. info: more than 80 %, but most of them in TIME_WAIT that may be taken over.',
    why: 'New connections to that destination are about to fail, or fail, with "Cannot assign requested address".',
    remedy:
      'Keep connections open and pool them: that mends the cause. Otherwise more source addresses (or more destination addresses or ports), a wider net.ipv4.ip_local_port_range, and net.ipv4.tcp_tw_reuse=1 where most are in TIME_WAIT.',
    risk: 'A wider range may take a port that a service wants to listen on later: reserve such ports first.',
    undo: 'Set net.ipv4.ip_local_port_range and ip_local_reserved_ports to what they were.',
    needs: 'new connections',
    tune: { keys: ['net.ipv4.ip_local_port_range', 'net.ipv4.ip_local_reserved_ports'] },
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (ip_local_port_range, ip_local_reserved_ports, tcp_tw_reuse)',
      'ip(7): ip_local_port_range; connect(2): EADDRNOTAVAIL',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const range = portRange(net);
    if (range === undefined) return [unknown(`${RANGE} could not be read`)];
    const uses = net.last.sockets?.ports;
    if (uses === undefined) return [unknown('the sockets of this namespace could not be read')];
    const scarce = uses.flatMap((use) => scarcity(context, use, range) ?? []);
    if (scarce.length > 0) return scarce;
    const most = uses[0];
    return [
      pass(
        most
          ? `at most ${most.inUse} of ${range.size} local ports in use towards one destination`
          : `none of ${range.size} local ports in use`,
        [net.sysctlEvidence(RANGE)],
      ),
    ];
  },
});

function scarcity(context: NetContext, use: PortUse, range: PortRange): Finding | undefined {
  const { net, host } = context;
  const taken = (100 * blocked(net, use)) / range.size;
  const used = (100 * use.inUse) / range.size;
  const limit = context.threshold('percent');
  if (used <= limit) return undefined;
  const from = `from ${use.source} to ${use.destination} port ${use.destinationPort}`;
  const summary = `${use.inUse} of ${range.size} local ports are in use ${from} (${Math.floor(used)} %), ${use.timeWait} of them in TIME_WAIT`;
  const evidence = [
    { source: 'sock_diag', key: 'local ports in use', value: use.inUse, unit: 'ports', scope: 'now' as const },
    { source: 'sock_diag', key: 'in TIME_WAIT', value: use.timeWait, unit: 'ports', scope: 'now' as const },
    net.sysctlEvidence(RANGE),
    net.sysctlEvidence('net.ipv4.tcp_tw_reuse'),
  ];
  const subject = {
    ...host.subject(use.pid),
    connection: `${use.source} -> ${use.destination}:${use.destinationPort}`,
  };
  if (taken <= limit) return info(`${summary}, which the kernel takes over when it needs them`, evidence, { subject });
  const remedy = widen(net, range);
  return (taken >= FAIL_PERCENT ? fail : warn)(summary, evidence, {
    subject,
    weight: taken,
    ...(remedy ? { remedy } : {}),
  });
}

/** A wider range, with listeners that would come to lie in it reserved first; nothing when it is as wide already. */
function widen(net: NetView, range: PortRange): (Partial<Remedy> & Pick<Remedy, 'summary'>) | undefined {
  const low = Math.min(range.low, WIDE_LOW);
  const high = Math.max(range.high, WIDE_HIGH);
  if (low === range.low && high === range.high) return undefined;
  const listening = [...new Set(net.last.sockets?.listeners.map((listener) => listener.port))].filter(
    (port) => port >= low && port <= high && (port < range.low || port > range.high) && !isReserved(net, port),
  );
  return {
    summary: `Pool connections to that destination; widen the port range from ${range.low}-${range.high} to ${low}-${high} meanwhile`,
    ...setSysctls(net, {
      ...(listening.length > 0 ? { [RESERVED]: withReserved(net, listening) } : {}),
      [RANGE]: `${low} ${high}`,
    }),
  };
}
