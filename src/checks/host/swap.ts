import type { Evidence } from '../../model/results.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, needsWindow, notApplicable, pass, unknown, warn } from '../findings.js';
import { growth, sysctlEvidence } from '../view.js';
import { bytes, round } from './numbers.js';

const KEY = 'vm.swappiness';
const TARGET = 10;

export const swap = defineCheck({
  id: 'swap',
  title: 'Swapping',
  category: 'memory',
  scope: 'host',
  priority: 60,
  thresholds: {
    pagesPerSecond: { default: 10, unit: '1/s', description: 'Pages swapped in: fewer are only an info' },
  },
  page: {
    mechanism:
      'A page that was swapped out is read back when a thread touches it, and the thread stands still for that disk access. Pages that lie in swap and are not touched cost nothing: what hurts is swapping in.',
    reads: 'pswpin and pswpout of /proc/vmstat, twice; SwapTotal and SwapFree of /proc/meminfo; vm.swappiness.',
    threshold: 'warn: 10 pages a second or more were swapped in within the window. info: fewer.',
    why: 'Threads stop for disk reads in the middle of requests: milliseconds each, for any program of this host.',
    remedy:
      'Find who uses the memory and give the host more or the program less. A lower vm.swappiness makes the kernel drop file cache before it swaps programs out.',
    risk: 'With low swappiness the file cache is reclaimed sooner: programs that read files feel it. It mends no lack of memory.',
    undo: `sysctl -w ${KEY}=60`,
    needs: 'nothing',
    tune: { keys: ['vm.swappiness'] },
    sources: [
      'https://docs.kernel.org/admin-guide/sysctl/vm.html#swappiness',
      'proc_vmstat(5)',
      'tuned: profile latency-performance (vm.swappiness=10)',
    ],
  },
  judge({ host, threshold }: HostContext): Finding[] {
    const total = host.last.memory.SwapTotal;
    if (total === 0) return [notApplicable('this host has no swap')];
    if (host.last.vmstat.pswpin === undefined) return [unknown('pswpin of /proc/vmstat could not be read')];
    if (host.windowMs === undefined) return [needsWindow()];
    const pages = growth(host.first?.vmstat.pswpin, host.last.vmstat.pswpin);
    if (pages === undefined) return [unknown('pswpin of /proc/vmstat ran backwards')];
    const rate = pages / (host.windowMs / 1000);
    const rows = evidence(host);
    const used =
      total !== undefined ? `${bytes(total - (host.last.memory.SwapFree ?? 0))} of swap in use` : 'swap is on';
    if (pages === 0) return [pass(`nothing was swapped in; ${used}`, rows)];
    const text = `${pages} pages were swapped in within the window (${round(rate)} a second); ${used}`;
    if (rate < threshold('pagesPerSecond')) return [info(text, rows)];
    return [warn(text, rows, { weight: rate, remedy: remedy(host.facts.sysctls[KEY]) })];
  },
});

/** Lowering swappiness is the point here; but where it is low already only memory helps. */
function remedy(swappiness: string | undefined): NonNullable<Finding['remedy']> {
  const who = 'grep -H VmSwap /proc/[0-9]*/status | sort -k2 -n | tail -5';
  if (swappiness === undefined || Number(swappiness) <= TARGET)
    return {
      summary: 'Find who was swapped out; give the host more memory or that program less',
      commands: [who],
      undo: 'nothing was changed',
      risk: 'none',
    };
  return {
    summary: 'Find who was swapped out, and let the kernel drop file cache before it swaps',
    commands: [who, `sysctl -w ${KEY}=${TARGET}`],
    tunes: [{ key: KEY, from: swappiness, to: String(TARGET) }],
    undo: `sysctl -w ${KEY}=${swappiness}`,
  };
}

function evidence(host: HostContext['host']): Evidence[] {
  const counter = (key: string): Evidence[] => {
    const now = host.last.vmstat[key];
    const grown = growth(host.first?.vmstat[key], now);
    const source = '/proc/vmstat';
    return [
      ...(grown !== undefined ? [{ source, key, value: grown, unit: 'pages', scope: 'window' as const }] : []),
      ...(now !== undefined ? [{ source, key, value: now, unit: 'pages', scope: 'total' as const }] : []),
    ];
  };
  return [...counter('pswpin'), ...counter('pswpout'), sysctlEvidence(KEY, host.facts.sysctls[KEY])];
}
