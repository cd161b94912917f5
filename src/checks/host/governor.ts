import type { Evidence } from '../../model/results.js';
import type { Cpu } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { formatCpuList } from '../cpus.js';
import { notApplicable, pass, warn } from '../findings.js';

const FOLDER = '/sys/devices/system/cpu';

export const governor = defineCheck({
  id: 'governor',
  title: 'CPU frequency governor',
  category: 'cpu',
  scope: 'host',
  priority: 35,
  page: {
    mechanism:
      'The governor decides the clock of each CPU. Those that save energy lower it while there is little to do and raise it after some milliseconds of load: a server that is woken for one short request does it at the low clock. Drivers such as intel_pstate in active mode decide themselves and take an energy preference (EPP) as the hint instead.',
    reads: 'scaling_governor and energy_performance_preference of each CPU in /sys/devices/system/cpu/cpu*/cpufreq.',
    threshold:
      'Judged with --profile latency only. warn: a CPU with another governor than performance, unless its energy preference is performance.',
    why: 'The latency profile was asked for: short requests run at a low clock until the governor notices.',
    remedy:
      'Set the governor performance on the CPUs that serve (tuned: the profiles latency-performance and network-latency do).',
    risk: 'More power and heat, at all times.',
    undo: 'Write the former governor into scaling_governor of each CPU.',
    needs: 'nothing',
    tune: { keys: ['/sys/devices/system/cpu/*/cpufreq/scaling_governor'], options: '--profile latency' },
    sources: [
      'https://docs.kernel.org/admin-guide/pm/cpufreq.html',
      'https://docs.kernel.org/admin-guide/pm/intel_pstate.html',
      'tuned: profile latency-performance (governor=performance)',
    ],
  },
  judge({ host, profile }: HostContext): Finding[] {
    if (profile !== 'latency') return [notApplicable('judged with --profile latency only')];
    const scaled = host.facts.cpus.filter((cpu) => cpu.governor !== undefined);
    if (scaled.length === 0)
      return [notApplicable('this kernel scales no CPU frequency (a guest, or the firmware decides)')];
    const slow = scaled.filter((cpu) => cpu.governor !== 'performance' && cpu.energyPreference !== 'performance');
    if (slow.length === 0) return [pass(`all ${scaled.length} CPUs run for performance`, evidence(scaled))];
    const owner = host.facts.settingOwners.find((o) => o.name === 'tuned');
    return [report(slow, scaled.length, owner?.detail)];
  },
});

const key = (cpu: Cpu): string => `${cpu.governor}${cpu.energyPreference ? `, ${cpu.energyPreference}` : ''}`;

/** One row per setting rather than one per CPU: hosts have hundreds. */
function evidence(cpus: readonly Cpu[]): Evidence[] {
  const values = [...new Set(cpus.map(key))];
  return values.map((value) => {
    const group = cpus.filter((cpu) => key(cpu) === value);
    return {
      source: `${FOLDER}/cpu${group[0]?.cpu}/cpufreq/scaling_governor`,
      key: `CPU ${formatCpuList(group.map((cpu) => cpu.cpu))}`,
      value,
      unit: '',
      scope: 'now',
    };
  });
}

function report(slow: readonly Cpu[], total: number, tuned: string | undefined): Finding {
  const first = slow[0] as Cpu;
  const list = formatCpuList(slow.map((cpu) => cpu.cpu));
  const files = slow.length === total ? `${FOLDER}/cpu[0-9]*/cpufreq/scaling_governor` : shellList(slow);
  const uniform = slow.every((cpu) => cpu.governor === first.governor);
  return warn(`CPU ${list}: governor ${[...new Set(slow.map(key))].join('; ')}`, evidence(slow), {
    remedy: {
      summary: `Set the governor performance on CPU ${list}${tuned ? ` (tuned owns it, active profile ${tuned}: change the profile instead)` : ''}`,
      commands: tuned ? ['tuned-adm profile network-latency'] : [`echo performance | tee ${files}`],
      tunes: slow.map((cpu) => ({
        key: `${FOLDER}/cpu${cpu.cpu}/cpufreq/scaling_governor`,
        from: cpu.governor ?? '',
        to: 'performance',
      })),
      ...(tuned
        ? { undo: `tuned-adm profile ${tuned}` }
        : uniform
          ? { undo: `echo ${first.governor} | tee ${files}` }
          : {}),
    },
  });
}

const shellList = (cpus: readonly Cpu[]): string =>
  cpus.map((cpu) => `${FOLDER}/cpu${cpu.cpu}/cpufreq/scaling_governor`).join(' ');
