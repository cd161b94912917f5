import type { PlanRow } from '../../model/tune/plan.js';

/** Pairs "this before that", where both are in a plan: a limit comes before what is limited by it. */
const BEFORE: readonly (readonly [RegExp, RegExp])[] = [
  [/^fs\.file-max$/, /^fs\.nr_open$/],
  [/^fs\.nr_open$/, /^limit:\d+:nofile$/],
  [/^net\.core\.rmem_max$/, /^net\.(core\.rmem_default|ipv4\.tcp_rmem|ipv4\.udp_rmem_min)$/],
  [/^net\.core\.wmem_max$/, /^net\.(core\.wmem_default|ipv4\.tcp_wmem|ipv4\.udp_wmem_min)$/],
  [/^net\.ipv4\.tcp_mem$/, /^net\.ipv4\.tcp_[rw]mem$/],
  [/^net\.ipv4\.ip_local_reserved_ports$/, /^net\.ipv4\.ip_local_port_range$/],
  [/^net\.netfilter\.nf_conntrack_buckets$/, /^net\.netfilter\.nf_conntrack_max$/],
  [/^net\.ipv([46])\.neigh\.default\.gc_thresh3$/, /^net\.ipv[46]\.neigh\.default\.gc_thresh[12]$/],
  [/^net\.ipv([46])\.neigh\.default\.gc_thresh2$/, /^net\.ipv[46]\.neigh\.default\.gc_thresh1$/],
  [/^net\.core\.default_qdisc$/, /^net\.ipv4\.tcp_congestion_control$/],
  [/^net\.core\.rps_sock_flow_entries$/, /\/rps_flow_cnt$/],
  // Adaptive coalescing computes the times itself; more channels bring queues of their own.
  [/:coalescing\.adaptive[RT]x$/, /:coalescing\.[rt]x(Usecs|Frames)$/],
  [/:channels\.[a-z]+$/, /:(rings\.[rt]x|coalescing\..*)$|\/queues\//],
];

/** Rows in an order in which each write finds what it depends on; else as the plan has them. */
export function inOrder<Row extends Pick<PlanRow, 'key' | 'after'>>(rows: readonly Row[]): Row[] {
  const waiting = [...rows];
  const ordered: Row[] = [];
  while (waiting.length > 0) {
    // A circle can only come from `after` of a plan: then its first row goes first.
    const free = waiting.findIndex((row) => !waiting.some((other) => other !== row && precedes(other, row)));
    ordered.push(...waiting.splice(Math.max(0, free), 1));
  }
  return ordered;
}

function precedes(first: Pick<PlanRow, 'key' | 'after'>, second: Pick<PlanRow, 'key' | 'after'>): boolean {
  if (second.after?.includes(first.key)) return true;
  return BEFORE.some(([before, after]) => before.test(first.key) && after.test(second.key));
}
