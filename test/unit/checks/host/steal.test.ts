import { expect, test } from 'vitest';
import { steal } from '../../../../src/checks/host/steal.js';
import type { CpuTimes, HostFacts } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';

const times = (cpu: number, parts: Partial<CpuTimes> = {}): CpuTimes => ({
  ...{ cpu, user: 0, nice: 0, system: 0, idle: 0, iowait: 0, irq: 0, softirq: 0, steal: 0 },
  ...parts,
});

const run = (last: CpuTimes[], host: Partial<HostFacts> = {}) =>
  judgeOne(steal, { host, first: { host: { cpus: last.map((t) => times(t.cpu)) } }, last: { host: { cpus: last } } });

test('warns about steal with the share of all CPUs and the worst one', () => {
  const [result, ...others] = run([times(0, { user: 80, steal: 20 }), times(1, { user: 40, idle: 60 })]);
  expect(others).toEqual([]);
  expect(result).toMatchObject({ status: 'warn', summary: 'the hypervisor took 10 % of the CPU time of this guest' });
  expect(result?.evidence).toContainEqual({
    ...{ source: '/proc/stat', key: 'steal', value: 20, unit: '%', scope: 'window', subject: { cpu: 0 } },
  });
});

test('warns about one CPU that drowns in softirqs', () => {
  const [result] = run([times(0, { softirq: 85, irq: 5, user: 10 }), times(1, { idle: 100 })]);
  expect(result).toMatchObject({
    status: 'warn',
    subject: { cpu: 0 },
    summary: 'CPU 0 spent 90 % of its time in interrupts and softirqs while the others were 100 % idle',
  });
});

const quiet = [times(0, { idle: 98, steal: 2 }), times(1, { idle: 100, softirq: 10 })];

test('a quiet host passes, with each fast clock', () => {
  expect(run(quiet)[0]?.status).toBe('pass');
  for (const current of ['tsc', 'kvm-clock', 'hyperv_clocksource_tsc_page', 'arch_sys_counter']) {
    expect(run(quiet, { clocksource: { current, available: [current, 'acpi_pm'] } })[0]?.status).toBe('pass');
  }
});

test('a slow clock warns; the way out depends on what the kernel offers', () => {
  const [known] = run(quiet, { clocksource: { current: 'hpet', available: ['tsc', 'hpet', 'acpi_pm'] } });
  expect(known).toMatchObject({
    status: 'warn',
    remedy: {
      commands: ['echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource'],
      undo: 'echo hpet > /sys/devices/system/clocksource/clocksource0/current_clocksource',
    },
  });
  const [guest] = run(quiet, { virtualization: 'kvm', clocksource: { current: 'acpi_pm', available: ['acpi_pm'] } });
  expect(guest?.remedy?.summary).toContain('hypervisor (kvm)');
  expect(guest?.remedy?.tunes).toEqual([]);
  expect(run(quiet, { clocksource: { current: 'xen', available: ['xen', 'tsc'] } })[0]?.status).toBe('info');
  expect(run(quiet, { clocksource: { current: 'xen', available: ['xen'] } })[0]?.status).toBe('pass');
});

test('too few ticks, one reading, no /proc/stat', () => {
  expect(run([times(0, { idle: 3 })])[0]?.status).toBe('not-applicable');
  expect(judgeOne(steal, { last: { host: { cpus: quiet } } })[0]?.status).toBe('not-applicable');
  expect(judgeOne(steal, {})[0]?.status).toBe('unknown');
});
