import type { Snapshot, SysctlAssignment } from '../../model/snapshot/index.js';
import { sameValue } from '../sysctl-winner.js';

interface LiveReader {
  (key: string): string | undefined;
  /** Whether net.* could be compared: the initial namespace was read. */
  compared: boolean;
}

/** Live values that files speak of; only from within the initial namespace: in a container nobody applies them. */
export function liveReader(snapshot: Snapshot): LiveReader {
  const initial = snapshot.netns.find((n) => n.initial === true);
  const read = (key: string): string | undefined => {
    if (!initial) return undefined;
    const value = key.startsWith('net.') ? initial.sysctls[key] : snapshot.host.sysctls[key];
    return value === '' ? undefined : value;
  };
  return Object.assign(read, { compared: initial !== undefined });
}

/** Files that packages bring; what an owner writes stands in /etc, /run or /usr/local. */
export const isDistribution = (line: SysctlAssignment): boolean =>
  line.file.startsWith('/usr/lib/') || line.file.startsWith('/lib/');

/** Keys of one interface: it may have appeared, or been configured by its manager, after the files were applied. */
export const isOfInterface = (key: string): boolean => /^net\.(ipv4|ipv6)\.(conf|neigh)\.(?!(all|default)\.)/.test(key);

/** The kernel rounds these up to what its tables need. */
const ROUNDED_UP = new Set([
  'net.core.rps_sock_flow_entries',
  'net.netfilter.nf_conntrack_buckets',
  'net.nf_conntrack_buckets',
]);
/** Lists in any order; ranges are merged when they are read back. */
const LISTS = new Set(['net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_allowed_congestion_control']);

/** Whether two values of a key come to the same in the kernel. */
export function sameSetting(key: string, a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (sameValue(a, b)) return true;
  if (ROUNDED_UP.has(key)) {
    const [low, high] = [Number(a), Number(b)].toSorted((x, y) => x - y);
    return low !== undefined && high !== undefined && low > 0 && high < 2 * low;
  }
  return LISTS.has(key) && members(a) === members(b);
}

function members(list: string): string {
  const items = list.split(/[\s,]+/).flatMap((item) => {
    const range = /^(\d+)-(\d+)$/.exec(item);
    if (!range) return item === '' ? [] : [item];
    const [from, to] = [Number(range[1]), Number(range[2])];
    return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => String(from + i));
  });
  return [...new Set(items)].toSorted().join(' ');
}

/** A command that rewrites this line of its file; the file may be a link (/etc/sysctl.d/99-sysctl.conf often is). */
export function setLine(line: SysctlAssignment, value = ''): string {
  const text = `${line.ignoreErrors ? '-' : ''}${line.key} = ${value}`
    .replace(/[\\|&]/g, '\\$&')
    .replaceAll("'", "'\\''");
  return `sed -i --follow-symlinks '${line.line}s|.*|${text}|' ${line.file}`;
}
