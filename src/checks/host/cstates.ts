import type { Evidence } from '../../model/results.js';
import type { Cpu } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { formatCpuList } from '../cpus.js';
import { notApplicable, pass, warn } from '../findings.js';

const FOLDER = '/sys/devices/system/cpu';

/** An idle state that some CPUs may enter. `index` is its number in sysfs. */
interface DeepState {
  index: number;
  name: string;
  latencyUs: number;
  cpus: number[];
}

export const cstates = defineCheck({
  id: 'cstates',
  title: 'Deep idle states',
  category: 'cpu',
  scope: 'host',
  priority: 35,
  thresholds: { exitLatencyUs: { default: 3, unit: 'us', description: 'Longest exit latency that a state may have' } },
  page: {
    mechanism:
      'An idle CPU enters a sleep state; the deeper the state, the longer it takes to wake up, from about a microsecond to hundreds. The interrupt of a packet that arrives at a sleeping CPU waits for that. A process that holds /dev/cpu_dma_latency open with a number forbids states that take longer to leave.',
    reads:
      'name, latency and disable of /sys/devices/system/cpu/cpu*/cpuidle/state*; the value of /dev/cpu_dma_latency.',
    threshold:
      'Judged with --profile latency only. warn: a state with an exit latency above 3 µs may be entered and /dev/cpu_dma_latency allows it.',
    why: 'The latency profile was asked for: the first packet after a pause pays the exit latency of the state.',
    remedy:
      'Forbid the deep states: hold /dev/cpu_dma_latency at 1 to 3 µs (tuned: latency-performance does, with force_latency), or disable the states in sysfs.',
    risk: 'More power and heat; with all CPUs kept awake the turbo clock of the busy ones falls.',
    undo: 'Write 0 into the disable file of each state.',
    needs: 'nothing',
    sources: [
      'https://docs.kernel.org/admin-guide/pm/cpuidle.html',
      'https://docs.kernel.org/power/pm_qos_interface.html (/dev/cpu_dma_latency)',
      'tuned: profile latency-performance (force_latency)',
    ],
  },
  judge({ host, profile, threshold }: HostContext): Finding[] {
    if (profile !== 'latency') return [notApplicable('judged with --profile latency only')];
    const { cpus, cpuDmaLatencyUs } = host.facts;
    const known = cpus.filter((cpu) => (cpu.idleStates ?? []).length > 0);
    if (known.length === 0)
      return [notApplicable('this kernel manages no idle states (a guest: its host decides how CPUs sleep)')];
    const limit = threshold('exitLatencyUs');
    const qos = qosEvidence(cpuDmaLatencyUs);
    if (cpuDmaLatencyUs !== undefined && cpuDmaLatencyUs <= limit)
      return [pass(`/dev/cpu_dma_latency is held at ${cpuDmaLatencyUs} us: no deeper state is entered`, qos)];
    const deep = deepStates(known, limit);
    if (deep.length === 0) return [pass(`no idle state takes longer than ${limit} us to leave`, qos)];
    return [report(deep, qos)];
  },
});

function deepStates(cpus: readonly Cpu[], limit: number): DeepState[] {
  const found = new Map<string, DeepState>();
  for (const { cpu, idleStates = [] } of cpus) {
    idleStates.forEach(({ name, latencyUs, disabled }, index) => {
      if (disabled || latencyUs <= limit) return;
      const state = found.get(`${index}/${name}/${latencyUs}`) ?? { index, name, latencyUs, cpus: [] };
      state.cpus.push(cpu);
      found.set(`${index}/${name}/${latencyUs}`, state);
    });
  }
  return [...found.values()].toSorted((a, b) => b.latencyUs - a.latencyUs);
}

function report(deep: readonly DeepState[], qos: Evidence[]): Finding {
  const worst = deep[0] as DeepState;
  const indexes = [...new Set(deep.map((state) => state.index))].toSorted((a, b) => a - b);
  const loop = (value: 0 | 1) =>
    `for state in ${indexes.join(' ')}; do echo ${value} | tee ${FOLDER}/cpu[0-9]*/cpuidle/state$state/disable; done`;
  return warn(
    `idle state ${worst.name} may be entered and takes ${worst.latencyUs} us to leave (CPU ${formatCpuList(worst.cpus)})${deep.length > 1 ? `; so may ${deep.length - 1} more deep states` : ''}`,
    [
      ...deep.slice(0, 8).map(
        (state): Evidence => ({
          source: `${FOLDER}/cpu${state.cpus[0]}/cpuidle/state${state.index}/latency`,
          key: state.name,
          value: state.latencyUs,
          unit: 'us',
          scope: 'now',
        }),
      ),
      ...qos,
    ],
    { remedy: { summary: 'Disable the deep idle states', commands: [loop(1)], undo: loop(0) } },
  );
}

const qosEvidence = (value: number | undefined): Evidence[] =>
  value === undefined
    ? []
    : [{ source: '/dev/cpu_dma_latency', key: 'cpu_dma_latency', value, unit: 'us', scope: 'now' }];
