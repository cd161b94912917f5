import type { SysctlAssignment } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, pass, unknown, warn } from '../findings.js';

interface Stale {
  matches(line: SysctlAssignment): boolean;
  why: string;
}

const dead = (keys: readonly string[], why: string): Stale => ({
  matches: ({ key }) => keys.includes(key),
  why,
});

const STALE: readonly Stale[] = [
  dead(
    ['net.ipv4.tcp_tw_recycle'],
    'removed in Linux 4.12: it broke clients behind NAT. tcp_tw_reuse is not its replacement; TIME_WAIT is seldom a problem',
  ),
  dead(['net.ipv4.tcp_low_latency'], 'has had no effect since Linux 4.14 removed the prequeue'),
  dead(['net.ipv4.tcp_fack'], 'has had no effect since Linux 4.15: RACK took its place'),
  dead(
    ['net.ipv4.tcp_collapse_max_bytes'],
    'comes from a patched kernel of one company and was never part of Linux; tcp_rmem and the application decide there',
  ),
  {
    matches: ({ key, value }) => key === 'net.ipv4.tcp_timestamps' && value?.trim() === '0',
    why: 'is advice from long ago that harms: without timestamps RTT samples are coarser, PAWS is off and tcp_tw_reuse has no effect',
  },
  dead(
    [
      'net.ipv4.tcp_abc',
      'net.ipv4.tcp_cookie_size',
      'net.ipv4.tcp_dma_copybreak',
      'net.ipv4.tcp_frto_response',
      'net.ipv4.tcp_max_ssthresh',
      'net.ipv4.tcp_bic',
      'net.ipv4.tcp_westwood',
      'net.ipv4.tcp_vegas_cong_avoid',
      'net.ipv4.rt_cache_rebuild_count',
      'net.ipv4.route.secret_interval',
      'net.ipv4.inet_peer_gc_mintime',
      'net.ipv4.inet_peer_gc_maxtime',
      'net.core.hot_list_length',
      'net.ipv4.ip_always_defrag',
    ],
    'is gone from every kernel since 4.18 at the latest',
  ),
  {
    matches: ({ key }) => key === 'net.ipv4.ip_conntrack_max' || key.startsWith('net.ipv4.netfilter.ip_conntrack'),
    why: 'is the name of a time before nf_conntrack: the keys are net.netfilter.nf_conntrack_*',
  },
  dead(['net.ipv4.route.max_size'], 'has had no effect for IPv4 since Linux 3.6 removed the route cache'),
  {
    matches: ({ key }) => /^(kern|hw|machdep|net\.inet6?|net\.link|net\.local|net\.isr)\./.test(key),
    why: 'is a key of BSD or macOS, not of Linux',
  },
];

export const sysctlStale = defineCheck({
  id: 'sysctl-stale',
  title: 'Dead and foreign keys in sysctl files',
  category: 'configuration',
  scope: 'host',
  priority: 20,
  page: {
    mechanism:
      'Advice about sysctls is copied for decades. Keys that a kernel no longer has fail with one line in a boot log; keys kept for compatibility are accepted and do nothing; some, such as tcp_timestamps=0, still do harm.',
    reads: 'Each line of the sysctl.d files and of /etc/sysctl.conf.',
    threshold:
      'warn: a line sets a key that is dead, foreign or harmful as a tuning. info: the same with a leading "-", which says that its author expects it to fail.',
    why: 'The line does not do what its author believes, and hides what is really in force.',
    remedy: 'Delete the line.',
    risk: 'None for dead and foreign keys. Without tcp_timestamps=0 new connections use timestamps again after the next boot.',
    undo: 'Put the line back.',
    needs: 'nothing',
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (tcp_low_latency and tcp_fack: "legacy option, it has no effect anymore"; route/max_size)',
      'tcp(7) (tcp_tw_recycle: removed in Linux 4.12)',
    ],
  },
  judge({ host }: HostContext): Finding[] {
    const files = host.facts.sysctlFiles;
    if (!files) return [unknown('the sysctl.d files could not be read')];
    const applied = new Set([...files.order.systemd, ...files.order.procps]);
    const findings = files.assignments
      .filter((line) => applied.has(line.file) && line.value !== undefined)
      .flatMap((line) => {
        const stale = STALE.find((s) => s.matches(line));
        return stale ? [finding(line, stale)] : [];
      });
    if (findings.length > 0) return findings;
    return [
      pass('no line sets a dead or foreign key', [
        { source: 'sysctl.d', key: 'lines', value: files.assignments.length, unit: '1', scope: 'now' },
      ]),
    ];
  },
});

function finding(line: SysctlAssignment, { why }: Stale): Finding {
  return (line.ignoreErrors ? info : warn)(
    `${line.file}:${line.line} sets ${line.key}=${line.value}, which ${why}`,
    [{ source: `${line.file}:${line.line}`, key: line.key, value: line.value ?? '', unit: '' }],
    {
      subject: { key: line.key, file: line.file },
      remedy: {
        summary: 'Comment the line out',
        commands: [`sed -i --follow-symlinks '${line.line}s|^|# |' ${line.file}`],
        undo: `sed -i --follow-symlinks '${line.line}s|^# ||' ${line.file}`,
      },
    },
  );
}
