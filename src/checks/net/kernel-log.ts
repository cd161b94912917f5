import type { KernelLogEntry } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { fail, info, pass, unknown, warn } from '../findings.js';

interface Message {
  pattern: RegExp;
  name: string;
  meaning: string;
  advice: string;
}

/** As the kernel prints them; the wording of some changed between 4.18 and today. */
const MESSAGES: readonly Message[] = [
  {
    pattern: /nf_conntrack: .*table full.*dropping packet/,
    name: 'conntrack table full',
    meaning: 'the connection tracking table was full and packets were dropped',
    advice: 'See the check conntrack: raise net.netfilter.nf_conntrack_max and the buckets.',
  },
  {
    pattern: /Possible SYN flooding on port/,
    name: 'SYN flooding',
    meaning: 'the queue of half-open connections of a listener overflowed',
    advice: 'See the checks syn-queue and syncookies: most often a backlog too small for real load, not an attack.',
  },
  {
    pattern: /TCP: out of memory -- consider tuning tcp_mem/,
    name: 'out of TCP memory',
    meaning: 'TCP reached net.ipv4.tcp_mem and closed connections or refused data',
    advice: 'See the check tcp-memory.',
  },
  {
    pattern: /TCP: too many (?:of )?orphaned sockets/,
    name: 'too many orphaned sockets',
    meaning: 'connections without a process were reset because there were too many',
    advice: 'See the check orphans.',
  },
  {
    pattern: /TCP: time wait bucket table overflow/,
    name: 'TIME_WAIT overflow',
    meaning: 'TIME_WAIT sockets were closed early because there were too many',
    advice: 'See the check time-wait.',
  },
  {
    pattern: /[Nn]eighbou?r table overflow/,
    name: 'neighbour table overflow',
    meaning: 'new neighbours were refused and packets to them lost',
    advice: 'See the check neighbours: raise gc_thresh1, 2 and 3.',
  },
  {
    pattern: /NETDEV WATCHDOG: .*timed out/,
    name: 'NETDEV WATCHDOG',
    meaning: 'a transmit queue of an interface hung and was reset',
    advice: 'Driver, firmware or hardware of that NIC: update them; look for a PCIe or pause-frame problem.',
  },
  {
    pattern: /page allocation failure/,
    name: 'page allocation failure',
    meaning: 'the kernel found no memory, often for a received packet',
    advice: 'See the check min-free.',
  },
];

const DAY_MS = 86_400_000;
/** printk's clock and CLOCK_MONOTONIC may differ by a little. */
const SLACK_MS = 50;

export const kernelLog = defineCheck({
  id: 'kernel-log',
  title: 'Network trouble in the kernel log',
  category: 'ip',
  scope: 'host',
  priority: 72,
  page: {
    mechanism:
      'Some limits of the network stack speak up in the kernel log when they are reached, at most a few lines every five seconds (net.core.message_cost), so the number of lines says little about the number of events.',
    reads:
      '/dev/kmsg: lines of the kernel itself, since boot as far as its ring buffer reaches (needs CAP_SYSLOG where kernel.dmesg_restrict is 1).',
    threshold:
      'fail: such a line was written within the window. warn: within the last 24 hours. info: earlier since boot.',
    why: 'The kernel itself reports that a limit of the network stack was reached.',
    remedy: 'It depends on the message; each finding names the check that looks deeper.',
    risk: 'None: nothing is changed.',
    undo: 'Nothing was changed.',
    needs: 'nothing',
    sources: [
      'https://docs.kernel.org/admin-guide/sysctl/net.html (message_cost, message_burst)',
      'https://docs.kernel.org/networking/ip-sysctl.html (tcp_syncookies, tcp_max_orphans, tcp_mem)',
    ],
  },
  judge(context: HostContext): Finding[] {
    const { snapshot } = context;
    const log = snapshot.observed.kernelLog;
    if (!log) return [unreadable(context)];
    const found = MESSAGES.flatMap((message) => {
      const lines = log.filter((line) => message.pattern.test(line.text));
      return lines.length > 0 ? [finding(context, message, lines)] : [];
    });
    return found.length > 0 ? found : [pass('no network trouble in the kernel log since boot')];
  },
});

function finding({ snapshot }: HostContext, message: Message, lines: readonly KernelLogEntry[]): Finding {
  const now = snapshot.readings.at(-1)?.monotonicMs ?? 0;
  const begin =
    snapshot.readings.length > 1 ? (snapshot.readings[0]?.monotonicMs ?? now) - SLACK_MS : Number.POSITIVE_INFINITY;
  const fresh = lines.filter((line) => line.atMs >= begin);
  const last = lines.reduce((a, b) => (b.atMs > a.atMs ? b : a));
  const age = Math.max(0, now - last.atMs);
  const verdict = fresh.length > 0 ? fail : age < DAY_MS ? warn : info;
  const when = fresh.length > 0 ? `${fresh.length} within the window` : `the last ${ago(age)} ago`;
  return verdict(
    `${message.name}: ${message.meaning} (${lines.length} ${lines.length === 1 ? 'line' : 'lines'} since boot, ${when})`,
    [
      ...(snapshot.readings.length > 1
        ? [{ source: '/dev/kmsg', key: message.name, value: fresh.length, unit: 'lines', scope: 'window' as const }]
        : []),
      { source: '/dev/kmsg', key: message.name, value: lines.length, unit: 'lines', scope: 'total' },
      { source: '/dev/kmsg', key: 'last line', value: last.text, unit: '', scope: 'now' },
    ],
    { weight: lines.length, remedy: { summary: message.advice } },
  );
}

function ago(ms: number): string {
  const minutes = ms / 60_000;
  if (minutes < 1) return `${Math.round(ms / 1000)} s`;
  if (minutes < 120) return `${Math.round(minutes)} min`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
}

function unreadable({ snapshot }: HostContext): Finding {
  const gap = snapshot.gaps.find((g) => /kmsg|kernel.?log/i.test(`${g.probe} ${g.what}`));
  return unknown(
    `the kernel log could not be read${gap ? `: ${gap.reason}` : ''} (needs ${gap?.needs ?? 'CAP_SYSLOG'})`,
  );
}
