import type { Evidence } from '../../model/results.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { type CpuWindow, cpuWindows, overall } from '../cpus.js';
import { needsWindow, pass, unknown, warn } from '../findings.js';
import { judgeClocksource } from './clocksource.js';
import { percent, round } from './numbers.js';

/** Fewer ticks than this (at 10 ms each) make a share of them meaningless. */
const MIN_TICKS = 20;

export const steal = defineCheck({
  id: 'steal',
  title: 'CPU time lost to the hypervisor, interrupts and clock reads',
  category: 'cpu',
  scope: 'host',
  priority: 55,
  thresholds: {
    stealPercent: { default: 5, unit: '%', description: 'Steal of all CPUs together' },
    softirqPercent: { default: 80, unit: '%', description: 'Interrupt and softirq time of one CPU' },
  },
  page: {
    mechanism:
      'Three ways to lose CPU time below the programs. Steal: the hypervisor ran somebody else while this guest wanted to run. Softirq: the kernel handles received packets in soft interrupts, and one CPU can drown in them while the others idle. Clock: with a slow clocksource (HPET, ACPI PM timer) each clock_gettime() becomes a system call and a read of a slow device register, and servers ask for the time all the time.',
    reads:
      'steal, irq and softirq per CPU in /proc/stat, twice; /sys/devices/system/clocksource/clocksource0/{current,available}_clocksource.',
    threshold:
      'warn: steal above 5 % of all CPU time; a CPU that spent more than 80 % in interrupts and softirqs; a clocksource that is read through a device or a trap (hpet, acpi_pm, pit, jiffies, hyperv_clocksource_msr). info: the clocksource xen while tsc is available.',
    why: 'The time is gone before any program sees it: requests wait, and no setting of the network stack brings it back.',
    remedy:
      'Steal: a larger instance, one without a CPU credit limit, or a host that is less overcommitted. Softirq: spread the queues of the NIC over CPUs (see channels, rps, irq-affinity). Clock: switch to tsc or the clock of the hypervisor where it is available.',
    risk: 'A clocksource that the kernel judged unstable makes clocks run wrong: only switch to one that it lists as available.',
    undo: 'Write the former name into current_clocksource.',
    needs: 'nothing for interrupts and clock; another host or instance for steal',
    tune: { keys: ['/sys/devices/system/clocksource/clocksource0/current_clocksource'] },
    sources: [
      'proc_stat(5): steal, softirq',
      'https://docs.kernel.org/virt/kvm/x86/timekeeping.html',
      'https://docs.kernel.org/virt/hyperv/clocks.html',
      'vdso(7)',
    ],
  },
  judge(context: HostContext): Finding[] {
    const clock = judgeClocksource(context.host.facts);
    const times = judgeTimes(context);
    const bad = [...times, ...clock].filter((finding) => finding.status === 'warn' || finding.status === 'info');
    if (bad.length > 0) return bad;
    return times;
  },
});

function judgeTimes({ host, threshold }: HostContext): Finding[] {
  if (host.last.cpus.length === 0) return [unknown('/proc/stat could not be read')];
  if (host.windowMs === undefined) return [needsWindow()];
  const windows = cpuWindows(host).filter((cpu) => cpu.ticks > 0);
  const stolen = overall(windows, 'stealPercent');
  const ticks = windows.reduce((sum, cpu) => sum + cpu.ticks, 0);
  if (stolen === undefined || ticks < MIN_TICKS) return [needsLongerWindow(ticks)];
  const drowning = windows.filter((cpu) => cpu.ticks >= MIN_TICKS && cpu.softirqPercent > threshold('softirqPercent'));
  const findings = drowning.map((cpu) => softirqFinding(cpu, windows));
  if (stolen > threshold('stealPercent')) findings.push(stealFinding(stolen, windows));
  if (findings.length > 0) return findings;
  const worst = windows.toSorted((a, b) => b.softirqPercent - a.softirqPercent)[0] as CpuWindow;
  return [
    pass(
      `steal ${percent(stolen)}, most interrupt time on CPU ${worst.cpu}: ${percent(worst.softirqPercent)}${host.facts.clocksource ? `, clocksource ${host.facts.clocksource.current}` : ''}`,
      [evidence('steal', stolen), evidence('irq+softirq', worst.softirqPercent, worst.cpu)],
    ),
  ];
}

const needsLongerWindow = (ticks: number): Finding => ({
  status: 'not-applicable',
  summary: `the window held ${ticks} clock ticks only: use --window 500 or more`,
  evidence: [],
});

const evidence = (key: string, value: number, cpu?: number): Evidence => ({
  source: '/proc/stat',
  key,
  value: round(value, 2),
  unit: '%',
  scope: 'window',
  ...(cpu !== undefined ? { subject: { cpu } } : {}),
});

function stealFinding(stolen: number, windows: readonly CpuWindow[]): Finding {
  const worst = windows.toSorted((a, b) => b.stealPercent - a.stealPercent)[0] as CpuWindow;
  return warn(
    `the hypervisor took ${percent(stolen)} of the CPU time of this guest`,
    [evidence('steal', stolen), evidence('steal', worst.stealPercent, worst.cpu)],
    {
      weight: stolen,
      remedy: {
        summary: 'Ask for a larger or a dedicated instance, or have the host relieved: nothing inside the guest helps',
        risk: 'Cost.',
        undo: 'nothing was changed',
        needs: 'another instance, or the operator of the host',
      },
    },
  );
}

function softirqFinding(cpu: CpuWindow, windows: readonly CpuWindow[]): Finding {
  const others = windows.filter((other) => other.cpu !== cpu.cpu);
  const idle = overall(others, 'idlePercent');
  return warn(
    `CPU ${cpu.cpu} spent ${percent(cpu.softirqPercent)} of its time in interrupts and softirqs${idle !== undefined ? ` while the others were ${percent(idle)} idle` : ''}`,
    [evidence('irq+softirq', cpu.softirqPercent, cpu.cpu)],
    {
      subject: { cpu: cpu.cpu },
      weight: cpu.softirqPercent,
      remedy: {
        summary:
          'Spread packet processing over CPUs: more channels, RPS, interrupt affinity (see channels, rps, irq-affinity)',
        risk: 'More CPUs are interrupted; packets of one flow stay on one CPU whatever is set.',
        undo: 'Set the former channels, rps_cpus or smp_affinity_list again.',
        needs: 'nothing',
      },
    },
  );
}
