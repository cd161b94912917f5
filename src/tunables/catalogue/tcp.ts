import { atLeast } from '../kernel.js';
import { keepWindowOverPauses } from '../suggestions/pauses.js';
import { RETRANSMITS } from '../symptoms/index.js';
import { defineTunable, IP_SYSCTL, number, UINT_MAX } from '../tunable.js';

/** How TCP of one namespace behaves; none of these is a limit. */
const BEHAVIOUR = { kind: 'sysctl', scope: 'netns', raiseOnly: false, fresh: true, unit: '' } as const;

/** What is harmful when it is off. */
const feature = (name: string, sets: string, most: number, risk: string) =>
  defineTunable({
    ...BEHAVIOUR,
    key: `net.ipv4.${name}`,
    sets,
    form: number(0, most),
    default: () => '1',
    risk,
    needs: 'new connections',
    source: `${IP_SYSCTL} (${name})`,
  });

export const tcp = [
  feature('tcp_timestamps', 'Whether segments carry timestamps (RFC 7323).', 2, 'Twelve bytes in each segment.'),
  feature('tcp_sack', 'Whether selective acknowledgements are offered.', 1, 'Some CPU time while segments are lost.'),
  feature('tcp_window_scaling', 'Whether windows above 64 KiB are offered.', 1, 'More memory per connection.'),
  feature('tcp_moderate_rcvbuf', 'Whether receive buffers grow by themselves.', 1, 'More memory per connection.'),
  defineTunable({
    ...BEHAVIOUR,
    key: 'net.ipv4.tcp_slow_start_after_idle',
    sets: 'Whether a connection begins anew with a small congestion window after a pause.',
    form: number(0, 1),
    default: () => '1',
    risk: 'A burst after a pause meets a path that may have less room than before.',
    needs: 'nothing',
    source: `${IP_SYSCTL} (tcp_slow_start_after_idle), RFC 2861`,
    suggest: keepWindowOverPauses,
  }),
  defineTunable({
    ...BEHAVIOUR,
    key: 'net.ipv4.tcp_notsent_lowat',
    sets: 'How many bytes that are not sent yet a connection takes before it tells the program to wait.',
    unit: 'bytes',
    form: number(1, UINT_MAX),
    default: () => String(UINT_MAX),
    risk: 'Programs are woken more often; too small a value costs throughput.',
    needs: 'nothing',
    source: `${IP_SYSCTL} (tcp_notsent_lowat)`,
  }),
  defineTunable({
    ...BEHAVIOUR,
    key: 'net.ipv4.tcp_mtu_probing',
    sets: 'Whether TCP tries smaller segments: 1 when it meets a black hole, 2 always, 0 never.',
    form: number(0, 2),
    default: () => '0',
    risk: 'On a path that loses much for other reasons segments become smaller than they need be.',
    needs: 'nothing',
    source: `${IP_SYSCTL} (tcp_mtu_probing), RFC 4821`,
    symptoms: [RETRANSMITS],
  }),
  defineTunable({
    ...BEHAVIOUR,
    key: 'net.ipv4.tcp_tw_reuse',
    sets: 'Whether a new connection may take the port of one in TIME_WAIT: 1 everywhere, 2 on loopback, 0 never.',
    form: number(0, 2),
    default: (kernel) => (atLeast(kernel, 4, 19) ? '2' : '0'),
    risk: 'Where it was needed: connects fail for want of local ports.',
    needs: 'nothing',
    source: `${IP_SYSCTL} (tcp_tw_reuse)`,
  }),
  defineTunable({
    ...BEHAVIOUR,
    key: 'net.ipv4.tcp_keepalive_time',
    sets: 'How long a connection with keepalive is silent before it is probed.',
    unit: 's',
    form: number(1, 32_767),
    default: () => '7200',
    risk: 'More packets on idle connections; a peer that is away for longer loses its connection earlier.',
    needs: 'nothing',
    source: `${IP_SYSCTL} (tcp_keepalive_time)`,
  }),
  defineTunable({
    ...BEHAVIOUR,
    key: 'net.ipv4.tcp_fastopen',
    sets: 'Whether data may come with the first segment: bits 1 for clients, 2 for servers.',
    form: number(0, 0xfff),
    default: () => '1',
    risk: 'Some middleboxes drop such segments, which costs a retransmission timeout.',
    needs: 'new connections',
    source: `${IP_SYSCTL} (tcp_fastopen)`,
  }),
  defineTunable({
    ...BEHAVIOUR,
    key: 'net.ipv4.tcp_congestion_control',
    sets: 'The congestion control of new connections.',
    form: { type: 'name' },
    fresh: false,
    risk: 'It shares the path differently with the traffic of others.',
    needs: 'new connections',
    source: `${IP_SYSCTL} (tcp_congestion_control)`,
    symptoms: [RETRANSMITS],
  }),
  defineTunable({
    ...BEHAVIOUR,
    key: 'net.mptcp.enabled',
    sets: 'Whether programs may open Multipath TCP connections.',
    form: number(0, 1),
    default: () => '1',
    risk: 'Programs that ask for it open subflows on other paths.',
    needs: 'new connections',
    source: 'https://docs.kernel.org/networking/mptcp-sysctl.html (enabled)',
  }),
  defineTunable({
    ...BEHAVIOUR,
    key: 'net.ipv4.conf.*.rp_filter',
    sets: 'Whether packets are dropped whose way back is another interface: 1 strictly, 2 loosely, 0 not.',
    form: number(0, 2),
    // A namespace takes it over from the initial one (net.core.devconf_inherit_init_net).
    fresh: false,
    default: () => '0',
    risk: 'Packets with a forged source address may come in by another interface than theirs.',
    needs: 'nothing',
    source: `${IP_SYSCTL} (rp_filter)`,
  }),
];
