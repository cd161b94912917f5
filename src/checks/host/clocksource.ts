import type { Evidence } from '../../model/results.js';
import type { HostFacts } from '../../model/snapshot/index.js';
import type { Finding } from '../check.js';
import { info, warn } from '../findings.js';

const FOLDER = '/sys/devices/system/clocksource/clocksource0';

/** Read through a device register or a trap, so that the vDSO cannot answer: every read of the clock enters the kernel. */
const SLOW = new Set(['hpet', 'acpi_pm', 'pit', 'jiffies', 'refined-jiffies', 'hyperv_clocksource_msr']);

/** Fast ones on x86, best first. A host of another architecture has its own counter, and it is never slow. */
const FAST = ['tsc', 'kvm-clock', 'hyperv_clocksource_tsc_page', 'xen'];

/** Judges the clock that clock_gettime() reads. Nothing to say about a fast or an unknown one. */
export function judgeClocksource(facts: HostFacts): Finding[] {
  const { clocksource } = facts;
  if (!clocksource) return [];
  const { current, available } = clocksource;
  const better = FAST.find((name) => name !== current && available.includes(name));
  if (current === 'xen' && better === 'tsc') return [xen(facts, available)];
  return SLOW.has(current) ? [slow(facts, current, available, better)] : [];
}

function slow(facts: HostFacts, current: string, available: readonly string[], better: string | undefined): Finding {
  const advice =
    better !== undefined
      ? change(current, better)
      : {
          summary: facts.virtualization
            ? `Have the hypervisor (${facts.virtualization}) offer a stable TSC or its own clock; then boot again`
            : 'Find out why the kernel gave the TSC up (kernel log: "clocksource", "TSC"), often firmware: update it, boot again',
          commands: ["dmesg | grep -iE 'clocksource|tsc'"],
          undo: 'nothing was changed',
          needs: 'reboot',
        };
  return warn(
    `the clock is ${current}: every read of the time is a system call and a slow read of a device`,
    evidence(current, available),
    {
      weight: 10,
      remedy: advice,
    },
  );
}

function xen(facts: HostFacts, available: readonly string[]): Finding {
  return info(
    `the clock is xen while tsc is available${facts.virtualization ? ` (${facts.virtualization})` : ''}: tsc is cheaper to read`,
    evidence('xen', available),
    { remedy: change('xen', 'tsc') },
  );
}

const change = (from: string, to: string) => ({
  summary: `Switch the clocksource to ${to}`,
  commands: [`echo ${to} > ${FOLDER}/current_clocksource`],
  tunes: [{ key: `${FOLDER}/current_clocksource`, from, to }],
  undo: `echo ${from} > ${FOLDER}/current_clocksource`,
  needs: 'nothing',
});

const evidence = (current: string, available: readonly string[]): Evidence[] => [
  { source: `${FOLDER}/current_clocksource`, key: 'current', value: current, unit: '', scope: 'now' },
  { source: `${FOLDER}/available_clocksource`, key: 'available', value: available.join(' '), unit: '', scope: 'now' },
];
