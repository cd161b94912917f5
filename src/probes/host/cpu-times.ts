import type { CpuTimes } from '../../model/snapshot/index.js';
import type { FileProbe } from '../files.js';

const STAT = '/proc/stat';

export interface Stat {
  cpus: CpuTimes[];
  contextSwitches?: number;
  forks?: number;
  runnable?: number;
}

export const stat: FileProbe<Stat> = {
  name: 'cpu-times',
  wants: { files: [STAT] },
  parse: (found) => parseStat(found.required(STAT) ?? ''),
};

const FIELDS = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
const SINGLE = { ctxt: 'contextSwitches', processes: 'forks', procs_running: 'runnable' } as const;

/** /proc/stat, proc(5): CPUs that are offline have no line. */
export function parseStat(text: string): Stat {
  const parsed: Stat = { cpus: [] };
  for (const line of text.split('\n')) {
    const [name = '', ...words] = line.split(/\s+/);
    if (/^cpu\d+$/.test(name)) {
      const times = Object.fromEntries(FIELDS.map((field, at) => [field, Number(words[at] ?? 0)]));
      parsed.cpus.push({ cpu: Number(name.slice(3)), ...times } as CpuTimes);
    } else if (name in SINGLE) {
      parsed[SINGLE[name as keyof typeof SINGLE]] = Number(words[0]);
    }
  }
  return parsed;
}
