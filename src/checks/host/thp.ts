import type { Evidence } from '../../model/results.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { notApplicable, pass, unknown, warn } from '../findings.js';

const FILE = '/sys/kernel/mm/transparent_hugepage/enabled';

export const thp = defineCheck({
  id: 'thp',
  title: 'Transparent huge pages',
  category: 'memory',
  scope: 'host',
  priority: 25,
  page: {
    mechanism:
      'With transparent huge pages set to always, the kernel backs memory of every program with 2 MiB pages where it can: by compacting memory in a page fault, and by khugepaged, which copies pages together in the background. Both stop a thread for longer than an ordinary fault.',
    reads: `${FILE}, the word in brackets.`,
    threshold: 'Judged with --profile latency only. warn: always. madvise and never pass.',
    why: 'The latency profile was asked for: compaction and the clearing of 2 MiB pages show up as rare stalls of milliseconds.',
    remedy:
      'Set madvise: programs that gain from huge pages ask for them. never is for hosts where even those disturb.',
    risk: 'Programs with large memory that do not ask lose huge pages: more TLB misses, lower throughput.',
    undo: `echo always > ${FILE}`,
    needs: 'nothing for new memory; pages that are huge stay huge until they are freed',
    tune: { keys: ['/sys/kernel/mm/transparent_hugepage/enabled'], options: '--profile latency' },
    sources: [
      'https://docs.kernel.org/admin-guide/mm/transhuge.html',
      'tuned: profile network-latency (transparent_hugepages=never)',
    ],
  },
  judge({ host, profile }: HostContext): Finding[] {
    if (profile !== 'latency') return [notApplicable('judged with --profile latency only')];
    const value = host.facts.transparentHugepages;
    if (value === undefined)
      return [unknown(`${FILE} could not be read (this kernel may lack transparent huge pages)`)];
    const evidence: Evidence[] = [{ source: FILE, key: 'enabled', value, unit: '', scope: 'now' }];
    if (value !== 'always') return [pass(`transparent huge pages: ${value}`, evidence)];
    return [
      warn('transparent huge pages are always on', evidence, {
        subject: { key: FILE },
        remedy: {
          summary: 'Use huge pages only where a program asks for them',
          commands: [`echo madvise > ${FILE}`],
          tunes: [{ key: FILE, from: 'always', to: 'madvise' }],
        },
      }),
    ];
  },
});
