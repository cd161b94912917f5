import { expect, test } from 'vitest';
import { cstates } from '../../../../src/checks/host/cstates.js';
import { governor } from '../../../../src/checks/host/governor.js';
import { thp } from '../../../../src/checks/host/thp.js';
import type { HostFacts } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';

const withFacts = (check: Parameters<typeof judgeOne>[0], host: Partial<HostFacts>) =>
  judgeOne(check, { host }, 'latency')[0];

test('outside the latency profile none of them judges', () => {
  for (const check of [cstates, governor, thp]) {
    const cpus = [{ cpu: 0, governor: 'powersave', idleStates: [{ name: 'C6', latencyUs: 133, disabled: false }] }];
    expect(judgeOne(check, { host: { cpus, transparentHugepages: 'always' } })[0]?.status).toBe('not-applicable');
  }
});

test('governor: names the CPUs that save power, with their own way back', () => {
  const result = withFacts(governor, {
    cpus: [0, 1, 2, 3].map((cpu) => ({ cpu, governor: cpu === 3 ? 'performance' : 'powersave' })),
  });
  expect(result).toMatchObject({ status: 'warn', summary: 'CPU 0-2: governor powersave' });
  const files = [0, 1, 2].map((cpu) => `/sys/devices/system/cpu/cpu${cpu}/cpufreq/scaling_governor`).join(' ');
  expect(result?.remedy).toMatchObject({
    commands: [`echo performance | tee ${files}`],
    undo: `echo powersave | tee ${files}`,
  });
});

test('governor: tuned is asked rather than overruled', () => {
  const result = withFacts(governor, {
    cpus: [{ cpu: 0, governor: 'schedutil' }],
    settingOwners: [{ name: 'tuned', detail: 'balanced' }],
  });
  expect(result?.remedy).toMatchObject({
    commands: ['tuned-adm profile network-latency'],
    undo: 'tuned-adm profile balanced',
  });
});

test('governor: performance by governor or by energy preference passes, a guest has none', () => {
  expect(withFacts(governor, { cpus: [{ cpu: 0, governor: 'performance' }] })?.status).toBe('pass');
  expect(
    withFacts(governor, { cpus: [{ cpu: 0, governor: 'powersave', energyPreference: 'performance' }] })?.status,
  ).toBe('pass');
  expect(
    withFacts(governor, { cpus: [{ cpu: 0, governor: 'powersave', energyPreference: 'balance_power' }] })?.status,
  ).toBe('warn');
  expect(withFacts(governor, {})?.status).toBe('not-applicable');
});

const states = [
  { name: 'POLL', latencyUs: 0, disabled: false },
  { name: 'C1', latencyUs: 2, disabled: false },
  { name: 'C1E', latencyUs: 10, disabled: false },
  { name: 'C6', latencyUs: 133, disabled: false },
];

test('cstates: names the deepest state, and turns off exactly the deep ones', () => {
  const result = withFacts(cstates, { cpus: [0, 1].map((cpu) => ({ cpu, idleStates: states })) });
  expect(result).toMatchObject({
    status: 'warn',
    summary: 'idle state C6 may be entered and takes 133 us to leave (CPU 0-1); so may 1 more deep states',
    remedy: {
      commands: [
        'for state in 2 3; do echo 1 | tee /sys/devices/system/cpu/cpu[0-9]*/cpuidle/state$state/disable; done',
      ],
      undo: 'for state in 2 3; do echo 0 | tee /sys/devices/system/cpu/cpu[0-9]*/cpuidle/state$state/disable; done',
    },
  });
});

test('cstates: disabled states, a held cpu_dma_latency and a guest are fine', () => {
  const disabled = states.map((state) => ({ ...state, disabled: state.latencyUs > 3 }));
  expect(withFacts(cstates, { cpus: [{ cpu: 0, idleStates: disabled }] })?.status).toBe('pass');
  expect(withFacts(cstates, { cpuDmaLatencyUs: 2, cpus: [{ cpu: 0, idleStates: states }] })?.status).toBe('pass');
  expect(withFacts(cstates, { cpuDmaLatencyUs: 50, cpus: [{ cpu: 0, idleStates: states }] })?.status).toBe('warn');
  expect(withFacts(cstates, {})?.status).toBe('not-applicable');
});

test('thp: always warns, the others pass, unreadable is unknown', () => {
  expect(withFacts(thp, { transparentHugepages: 'always' })).toMatchObject({
    status: 'warn',
    remedy: { tunes: [{ key: '/sys/kernel/mm/transparent_hugepage/enabled', from: 'always', to: 'madvise' }] },
  });
  expect(withFacts(thp, { transparentHugepages: 'madvise' })?.status).toBe('pass');
  expect(withFacts(thp, { transparentHugepages: 'never' })?.status).toBe('pass');
  expect(withFacts(thp, {})?.status).toBe('unknown');
});
