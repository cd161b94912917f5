import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, pass, unknown } from '../findings.js';
import { setSysctls } from '../remedies.js';
import { isReserved, portRange, RANGE, RESERVED, withReserved } from './ports.js';
import { judgedListeners, listenerSubject, nameOf } from './sockets.js';

export const reservedPorts = defineCheck({
  id: 'reserved-ports',
  title: 'Listeners inside the range of outgoing ports',
  category: 'tcp',
  scope: 'netns',
  priority: 10,
  page: {
    mechanism:
      'The kernel hands out ports of net.ipv4.ip_local_port_range to outgoing connections. While a service is stopped, one of them may take its port, and the service then fails to start with EADDRINUSE. Ports in net.ipv4.ip_local_reserved_ports are not handed out, but may still be bound by name.',
    reads: 'Listeners by sock_diag; ip_local_port_range and ip_local_reserved_ports of the namespace.',
    threshold:
      'info: a listener inside the range and not reserved. Those that asked for any port (port 0) need no reservation; the kernel does not show who did.',
    why: 'A restart of this service fails by chance, typically at the worst time.',
    remedy: 'Add the ports of services that must have theirs to net.ipv4.ip_local_reserved_ports.',
    risk: 'None but fewer ports for outgoing connections.',
    undo: 'Set net.ipv4.ip_local_reserved_ports to what it was.',
    needs: 'nothing',
    tune: { keys: ['net.ipv4.ip_local_reserved_ports'] },
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (ip_local_reserved_ports)',
      'ip(7): ip_local_reserved_ports',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const range = portRange(net);
    if (range === undefined) return [unknown(`${RANGE} could not be read`)];
    const listeners = judgedListeners(context);
    if (listeners === undefined) return [unknown('the sockets of this namespace could not be read')];
    const open = listeners.filter(({ port }) => port >= range.low && port <= range.high && !isReserved(net, port));
    const first = open[0];
    const settings = [net.sysctlEvidence(RANGE), net.sysctlEvidence(RESERVED)];
    if (!first) return [pass(`no listener between ${range.low} and ${range.high} that is not reserved`, settings)];
    const ports = [...new Set(open.map(({ port }) => port))].toSorted((a, b) => a - b);
    return [
      info(
        open.length === 1
          ? `${nameOf(first)} listens inside the range of outgoing ports and is not reserved`
          : `${open.length} listeners inside the range of outgoing ports are not reserved: ports ${ports.join(', ')}`,
        [
          ...settings,
          ...open.slice(0, 10).map((listener) => ({
            source: 'sock_diag',
            key: 'port',
            value: listener.port,
            unit: '',
            scope: 'now' as const,
            subject: listenerSubject(listener),
          })),
        ],
        {
          subject: open.length === 1 ? { ...listenerSubject(first), key: RESERVED } : { key: RESERVED },
          remedy: {
            summary: 'Reserve those that must have their port (leave out what listens on any port)',
            ...setSysctls(net, { [RESERVED]: withReserved(net, ports) }),
          },
        },
      ),
    ];
  },
});
