import { atLeast, type Kernel } from '../kernel.js';
import { bufferForPath } from '../suggestions/bandwidth-delay.js';
import { BOUND_BY_BUFFER, MEMORY_PRESSURE, ORPHANS_ABORTED, UDP_RECEIVE_DROPS } from '../symptoms/index.js';
import { defineTunable, INT_MAX, IP_SYSCTL, number, numbers, SYSCTL_NET } from '../tunable.js';

const MIB = 2 ** 20;
/** SK_RMEM_MAX of net/core/sock.c for 256 bytes of overhead, until Linux 6.18 set 4 MiB. */
const OLD_CORE = '212992';
const core = (kernel: Kernel) => (atLeast(kernel, 6, 18) ? String(4 * MIB) : OLD_CORE);

/**
 * The third value: tcp_init() takes the smaller of this and 1/128 of the free pages. On hosts whose memory does not
 * clearly exceed that nobody can tell afterwards what it was.
 */
const thirdValue = ({ memoryBytes }: Kernel, largest: number): number | undefined =>
  memoryBytes / 160 >= largest ? largest : undefined;

function receiveDefault(kernel: Kernel): string | undefined {
  const third = thirdValue(kernel, (atLeast(kernel, 6, 16) ? 32 : 6) * MIB);
  return third === undefined ? undefined : `4096 ${atLeast(kernel, 4, 20) ? 131_072 : 87_380} ${third}`;
}

function sendDefault(kernel: Kernel): string | undefined {
  const third = thirdValue(kernel, 4 * MIB);
  return third === undefined ? undefined : `4096 16384 ${third}`;
}

const TCP_BUFFER = {
  kind: 'sysctl',
  unit: 'bytes',
  // A namespace begins with the values of the initial one (tcp_sk_init), not with the kernel's.
  form: numbers(3, 1, INT_MAX),
  scope: 'netns',
  raiseOnly: true,
  risk: 'More memory per connection, and longer queues in the network where its routers buffer much (bufferbloat).',
  needs: 'nothing: buffers of open connections may grow as well',
  symptoms: [BOUND_BY_BUFFER],
} as const;

const CORE = {
  kind: 'sysctl',
  unit: 'bytes',
  form: number(2304, INT_MAX),
  scope: 'host',
  raiseOnly: true,
  default: core,
} as const;

export const buffers = [
  defineTunable({
    ...TCP_BUFFER,
    key: 'net.ipv4.tcp_rmem',
    sets: 'Least, first and largest receive buffer of a TCP connection; it grows by itself up to the third.',
    default: receiveDefault,
    source: `${IP_SYSCTL} (tcp_rmem)`,
    suggest: (context) => bufferForPath(context, 'net.ipv4.tcp_rmem'),
  }),
  defineTunable({
    ...TCP_BUFFER,
    key: 'net.ipv4.tcp_wmem',
    sets: 'Least, first and largest send buffer of a TCP connection; it grows by itself up to the third.',
    default: sendDefault,
    source: `${IP_SYSCTL} (tcp_wmem)`,
    suggest: (context) => bufferForPath(context, 'net.ipv4.tcp_wmem'),
  }),
  defineTunable({
    ...CORE,
    key: 'net.core.rmem_max',
    sets: 'The largest receive buffer that SO_RCVBUF grants (the kernel doubles it).',
    risk: 'Each socket that asks for it may hold twice that much memory.',
    needs: 'restart of the application',
    source: `${SYSCTL_NET} (rmem_max), socket(7)`,
    symptoms: [UDP_RECEIVE_DROPS],
  }),
  defineTunable({
    ...CORE,
    key: 'net.core.wmem_max',
    sets: 'The largest send buffer that SO_SNDBUF grants (the kernel doubles it).',
    risk: 'Each socket that asks for it may hold twice that much memory.',
    needs: 'restart of the application',
    source: `${SYSCTL_NET} (wmem_max), socket(7)`,
  }),
  defineTunable({
    ...CORE,
    key: 'net.core.rmem_default',
    sets: 'The receive buffer of a socket, other than TCP, that does not ask for one.',
    default: () => OLD_CORE,
    risk: 'Every new UDP, UNIX and raw socket may hold that much memory.',
    needs: 'new sockets',
    source: `${SYSCTL_NET} (rmem_default), socket(7)`,
    symptoms: [UDP_RECEIVE_DROPS],
  }),
  defineTunable({
    ...CORE,
    key: 'net.core.wmem_default',
    sets: 'The send buffer of a socket, other than TCP, that does not ask for one.',
    default: () => OLD_CORE,
    risk: 'Every new UDP, UNIX and raw socket may hold that much memory.',
    needs: 'new sockets',
    source: `${SYSCTL_NET} (wmem_default), socket(7)`,
  }),
  defineTunable({
    key: 'net.ipv4.tcp_mem',
    kind: 'sysctl',
    sets: 'How much memory all TCP sockets of the host may hold: no pressure below, pressure above, the end.',
    unit: 'pages',
    form: numbers(3, 1, INT_MAX),
    scope: 'host',
    raiseOnly: true,
    risk: 'Memory that nothing can swap out: with too much of it the host runs out of memory.',
    needs: 'nothing',
    source: `${IP_SYSCTL} (tcp_mem)`,
    symptoms: [MEMORY_PRESSURE],
  }),
  defineTunable({
    key: 'net.ipv4.udp_mem',
    kind: 'sysctl',
    sets: 'How much memory all UDP sockets of the host may hold.',
    unit: 'pages',
    form: numbers(3, 1, INT_MAX),
    scope: 'host',
    raiseOnly: true,
    risk: 'Memory that nothing can swap out.',
    needs: 'nothing',
    source: `${IP_SYSCTL} (udp_mem)`,
  }),
  defineTunable({
    key: 'net.ipv4.tcp_max_orphans',
    kind: 'sysctl',
    sets: 'How many connections that no program holds any more may wait to end.',
    unit: 'connections',
    form: number(1, INT_MAX),
    scope: 'host',
    raiseOnly: true,
    risk: 'Each may hold up to 64 KiB of memory that cannot be swapped out.',
    needs: 'nothing',
    source: `${IP_SYSCTL} (tcp_max_orphans)`,
    symptoms: [ORPHANS_ABORTED],
  }),
];
