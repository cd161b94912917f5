interface Reason {
  meaning: string;
  advice?: string;
  /** Often caused from outside, by scans or by hosts that are gone: worth knowing, not worth a warning. */
  mild?: true;
}

const full = (meaning: string, advice: string): Reason => ({ meaning, advice });
const damaged = (what: string): Reason => ({
  meaning: `${what} arrived damaged`,
  advice:
    'Look for a bad cable, transceiver or NIC offload on the path: ethtool -S, and ethtool -K <interface> rx off to compare.',
});
const neighbour = (meaning: string): Reason => ({
  meaning,
  advice:
    'Look at the neighbour table: ip neighbour show nud failed; a host that is gone, a wrong prefix length, or a full table (check neighbours).',
});

/**
 * Reasons that normal work does not have (enum skb_drop_reason without its prefix). Whatever is not here is expected:
 * closed ports, old duplicates, resets, filters and policies that do what they were told, sockets that closed.
 * NOT_SPECIFIED is where the kernel itself gives no reason, which includes ordinary frees.
 */
export const UNEXPECTED: Readonly<Record<string, Reason>> = {
  SOCKET_RCVBUFF: full(
    'the receive buffer of a socket was full',
    'Find the socket by the checks udp-buffers and socket-drops.',
  ),
  SOCKET_BACKLOG: full('the backlog of a busy socket was full', 'Find the socket by the check socket-backlog.'),
  PROTO_MEM: full('a protocol used its memory up', 'See the check tcp-memory; for UDP net.ipv4.udp_mem.'),
  TCP_ZEROWINDOW: full(
    'a peer sent into a closed receive window',
    'See the check zero-window: a program does not read.',
  ),
  TCP_LISTEN_OVERFLOW: full('an accept queue was full', 'See the check listen-overflow.'),
  TCP_OFO_QUEUE_PRUNE: full(
    'segments out of order were thrown away for want of memory',
    'See the check receive-prune.',
  ),
  TCP_OFO_DROP: full('segments out of order found no memory', 'See the check receive-prune.'),
  CPU_BACKLOG: full(
    'the input queue of a CPU was full',
    'See the check softnet-dropped (net.core.netdev_max_backlog).',
  ),
  FULL_RING: full(
    'the ring of a virtual device (tun, tap, veth) was full',
    'The reader behind it is too slow: a VPN daemon or a virtual machine.',
  ),
  QDISC_DROP: full('a queueing discipline dropped', 'See the check qdisc.'),
  QDISC_OVERLIMIT: full('a queueing discipline was full', 'See the check qdisc.'),
  QDISC_CONGESTED: { meaning: 'a queueing discipline dropped early against congestion, as it should', mild: true },
  FQ_BAND_LIMIT: full('a band of fq was full', 'See the check qdisc.'),
  FQ_FLOW_LIMIT: full('one flow filled its share of fq', 'See the check qdisc.'),
  FQ_HORIZON_LIMIT: full(
    'packets were timed too far into the future for fq',
    'A program sets SO_TXTIME or a pacing rate that is far too low.',
  ),
  CAKE_FLOOD: { meaning: 'cake dropped a flow that does not react to congestion', mild: true },
  NOMEM: full('there was no memory for a packet', 'See the check min-free.'),
  PFMEMALLOC: full('memory reserves were needed and the packet was not entitled to them', 'See the check min-free.'),
  TCP_CSUM: damaged('TCP segments'),
  UDP_CSUM: damaged('UDP datagrams'),
  IP_CSUM: damaged('IP headers'),
  ICMP_CSUM: damaged('ICMP messages'),
  SKB_CSUM: damaged('packets'),
  IP_INHDR: damaged('IP headers'),
  PKT_TOO_SMALL: damaged('packets cut short'),
  HDR_TRUNC: damaged('headers cut short'),
  IP_RPFILTER: full(
    'the answer would leave by another interface (reverse-path filter)',
    'See the check multihoming; spoofed packets look the same.',
  ),
  IP_INNOROUTES: full('there was no route for a packet that came in', 'See the check ip-level.'),
  IP_OUTNOROUTES: full('there was no route for a packet to be sent', 'See the check ip-level.'),
  FRAG_REASM_TIMEOUT: full('fragments of a datagram did not all arrive in time', 'See the check ip-level.'),
  FRAG_TOO_FAR: full('fragments were reordered too far', 'See the check ip-level (net.ipv4.ipfrag_max_dist).'),
  NEIGH_CREATEFAIL: neighbour('the neighbour table had no room'),
  NEIGH_QUEUEFULL: neighbour('too many packets waited for one neighbour to answer'),
  NEIGH_FAILED: { ...neighbour('a neighbour did not answer ARP or NDP'), mild: true },
  NEIGH_DEAD: { ...neighbour('a neighbour was being removed'), mild: true },
  DEV_READY: full(
    'the device was not ready',
    'Its state changed under traffic: look at the kernel log and at the check link.',
  ),
  XFRM_POLICY: full('IPsec policy did not allow a packet', 'ip xfrm policy, ip xfrm state; /proc/net/xfrm_stat.'),
  TCP_MD5NOTFOUND: full('a TCP MD5 signature was expected and missing', 'The keys of the two BGP peers differ.'),
  TCP_MD5FAILURE: full('a TCP MD5 signature was wrong', 'The keys of the two BGP peers differ.'),
  TCP_AOFAILURE: full('a TCP-AO signature was wrong', 'The keys of the two peers differ.'),
  RECURSION_LIMIT: full('a packet went round through stacked devices', 'Tunnels or tc redirects form a loop.'),
  TC_RECLASSIFY_LOOP: full('tc classification went round', 'Correct the tc filters.'),
};
