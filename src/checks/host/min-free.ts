import type { Evidence } from '../../model/results.js';
import type { KernelLogEntry } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { fail, info, pass, unknown, warn } from '../findings.js';
import { growth, type HostView, sysctlEvidence } from '../view.js';

const KEY = 'vm.min_free_kbytes';
/** Allocations that may not wait, as in interrupt context; a failed GFP_KERNEL one is another matter. */
const MESSAGE = /page allocation failure.*GFP_(ATOMIC|NOWAIT)/i;
/** Steps of memory, per cent. */
const UP_TO_PERCENT = [1, 2, 3] as const;

export const minFree = defineCheck({
  id: 'min-free',
  title: 'Memory kept free for interrupts',
  category: 'memory',
  scope: 'host',
  priority: 65,
  page: {
    mechanism:
      'A driver that receives packets allocates memory in interrupt context: it cannot wait for pages to be reclaimed. vm.min_free_kbytes is the reserve for that. When the reserve is empty the allocation fails, the kernel logs "page allocation failure", and packets are dropped.',
    reads:
      '"page allocation failure" with GFP_ATOMIC or GFP_NOWAIT in the kernel log; allocstall_* of /proc/vmstat (programs that had to reclaim memory themselves), twice; vm.min_free_kbytes and the memory of the host.',
    threshold:
      'fail: an allocation failure was logged within the window. warn: one was logged since boot. info: none, but programs had to reclaim memory themselves within the window.',
    why: 'Packets are dropped inside the host because no page was free at that moment, even if much memory is only file cache.',
    remedy:
      'Raise vm.min_free_kbytes step by step, to 1 % and at most 3 % of memory; find who takes the memory in bursts.',
    risk: 'That memory is no longer available to programs; far too much of it starts the OOM killer.',
    undo: `sysctl -w ${KEY}=<the former value>`,
    needs: 'nothing',
    tune: { keys: ['vm.min_free_kbytes'] },
    sources: [
      'https://docs.kernel.org/admin-guide/sysctl/vm.html#min-free-kbytes',
      'ENA Linux driver best practices (amzn-drivers): vm.min_free_kbytes between 1 % and 3 % of memory',
    ],
  },
  judge({ host, snapshot }: HostContext): Finding[] {
    const log = snapshot.observed.kernelLog;
    const failures = (log ?? []).filter((entry) => MESSAGE.test(entry.text));
    const rows = [...stalls(host), sysctlEvidence(KEY, host.facts.sysctls[KEY])];
    if (failures.length > 0) return [report(host, failures, rows, snapshot.readings[0]?.monotonicMs)];
    const stalled = stalls(host).reduce((sum, row) => sum + Number(row.value), 0);
    if (stalled > 0)
      return [info(`no allocation failed, but programs had to reclaim memory themselves ${stalled} times`, rows)];
    if (log === undefined) return [unknown('the kernel log could not be read (needs CAP_SYSLOG)', rows)];
    return [pass('no allocation failure was logged since boot', rows)];
  },
});

function report(host: HostView, failures: KernelLogEntry[], rows: Evidence[], sinceMs = 0): Finding {
  const fresh = host.windowMs === undefined ? 0 : failures.filter((entry) => entry.atMs >= sinceMs).length;
  const last = failures.at(-1) as KernelLogEntry;
  const evidence: Evidence[] = [
    { source: 'kernel log', key: 'page allocation failure', value: failures.length, unit: '1', scope: 'total' },
    { source: 'kernel log', key: 'page allocation failure', value: fresh, unit: '1', scope: 'window' },
    { source: 'kernel log', key: 'last', value: last.text, unit: '', scope: 'total' },
    ...rows,
  ];
  const say = fresh > 0 ? fail : warn;
  const when = fresh > 0 ? `${fresh} within the window` : 'none within the window';
  return say(`${failures.length} page allocation failures were logged since boot, ${when}`, evidence, {
    subject: { key: KEY },
    weight: failures.length,
    remedy: remedy(host),
  });
}

/** The next step of 1, 2 and 3 % of memory above the present value; none when it is there already. */
function remedy(host: HostView): NonNullable<Finding['remedy']> {
  const now = host.facts.sysctls[KEY];
  const target = UP_TO_PERCENT.map((share) => Math.floor((host.facts.memoryBytes * share) / 100 / 1024)).find(
    (kbytes) => kbytes > Number(now),
  );
  if (now === undefined || target === undefined)
    return {
      summary: 'The reserve is large already: find who takes the memory in bursts',
      commands: ["dmesg -T | grep -i -A3 'page allocation failure'"],
      undo: 'nothing was changed',
    };
  return {
    summary: `Raise ${KEY} from ${now} to ${target}`,
    commands: [`sysctl -w ${KEY}=${target}`],
    tunes: [{ key: KEY, from: now, to: String(target) }],
    undo: `sysctl -w ${KEY}=${now}`,
  };
}

function stalls(host: HostView): Evidence[] {
  return Object.keys(host.last.vmstat)
    .filter((key) => key.startsWith('allocstall'))
    .flatMap((key) => {
      const grown = growth(host.first?.vmstat[key], host.last.vmstat[key]);
      return grown === undefined
        ? []
        : [{ source: '/proc/vmstat', key, value: grown, unit: '1', scope: 'window' as const }];
    });
}
