import type { Gap } from '../model/gap.js';
import type { KernelLogEntry } from '../model/snapshot/index.js';
import { readKernelLog } from './native.js';

/** More are not kept: a message that is written all the time would fill the snapshot. The newest matter. */
const MAX_ENTRIES = 1000;

/** Messages of the kernel that concern networking or memory, by its own wording (net/, mm/, drivers/net/). */
const TOPICS: readonly RegExp[] = [
  /nf_conntrack/,
  /SYN flooding/i,
  /TCP: out of memory|out of socket memory|too many (of )?orphaned sockets/i,
  /neighbou?r(: \w+)?:? ?table overflow/i,
  /NETDEV WATCHDOG|transmit queue \d+ timed out/,
  /\blink (is |status )?(definitely )?(up|down)\b/i,
  /page allocation (failure|stall)/i,
  /out of memory|oom-kill|oom_reaper|killed process \d+/i,
  /martian source|martian destination|ll header: /i,
  /TCP: time wait bucket table overflow/i,
  /request_sock_(TCP|subflow)/i,
  /UDP: (bad checksum|short packet)/i,
  /dst cache overflow|route cache is full/i,
  /ICMP.*unreachable.*ignored|broadcasted ICMP/i,
  /duplicate address/i,
  /dead loop on virtual device/i,
  /received packet (on|with).*own address as source address/i,
  /driver has suspect GRO implementation/,
  /NOHZ tick-stop error|clocksource: .*unstable|Marking TSC unstable/i,
  /\b(infiniband|rdma\w*|RoCE|rxe\w*|siw\w*)\b/i,
  /VFS: file-max limit/,
  /MPTCP/,
];

/**
 * The kernel's log, reduced to what concerns networking and memory. Without `kernelLog` where it may not be read; the
 * gap says what would help.
 */
export async function collectKernelLog(): Promise<{ kernelLog?: KernelLogEntry[]; gaps: Gap[] }> {
  const { entries, gaps } = await readKernelLog();
  if (entries.length === 0 && gaps.length > 0) return { gaps };
  const kernelLog = entries.filter((entry) => concernsNetworking(entry.text));
  if (kernelLog.length <= MAX_ENTRIES) return { kernelLog, gaps };
  const reason = `${kernelLog.length} lines, the newest ${MAX_ENTRIES} are kept`;
  return { kernelLog: kernelLog.slice(-MAX_ENTRIES), gaps: [...gaps, { probe: 'kernel log', what: 'lines', reason }] };
}

export function concernsNetworking(text: string): boolean {
  return TOPICS.some((topic) => topic.test(text));
}
