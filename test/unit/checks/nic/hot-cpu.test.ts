import { expect, test } from 'vitest';
import type { Check } from '../../../../src/checks/check.js';
import { channels } from '../../../../src/checks/nic/channels.js';
import { irqAffinity } from '../../../../src/checks/nic/irq-affinity.js';
import { rps } from '../../../../src/checks/nic/rps.js';
import type { HostFacts, Link } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { cpusOf, cpuTimes, linkOf, linkReading, softnetOf, vethOf } from '../../../support/links.js';

interface Load {
  link: Link;
  /** Received packets within a second. */
  packets: number;
  /** Per cent in softirq by CPU; the rest is idle. */
  softirq: number[];
  /** Interrupts within the window, by IRQ and CPU. */
  interrupts?: Record<string, number[]>;
  host?: Partial<HostFacts>;
}

function judge(check: Check, { link, packets, softirq, interrupts = {}, host = {} }: Load) {
  const cpus = softirq.map((_, cpu) => cpu);
  const zero = Object.fromEntries(Object.entries(interrupts).map(([irq, counts]) => [irq, counts.map(() => 7)]));
  const grown = Object.fromEntries(Object.entries(interrupts).map(([irq, c]) => [irq, c.map((count) => 7 + count)]));
  const end = (last: boolean) => ({
    ...linkReading({ rx_packets: last ? packets : 0 }, undefined, link.name),
    host: {
      cpus: cpus.map((cpu) =>
        last ? cpuTimes(cpu, softirq[cpu] ?? 0, 0, 100 - (softirq[cpu] ?? 0)) : cpuTimes(cpu, 0),
      ),
      softnet: cpus.map((cpu) => softnetOf(cpu, last ? ((softirq[cpu] ?? 0) * packets) / 100 : 0)),
      interrupts: last ? grown : zero,
      interruptCpus: cpus,
    },
  });
  return judgeOne(check, {
    net: { links: [link] },
    host: { cpus: cpusOf(cpus.length), ...host },
    first: end(false),
    last: end(true),
  })[0];
}

const ena = (parts: Partial<Link> = {}) =>
  linkOf({
    driver: 'ena',
    channels: { combined: 2, combinedMax: 8 },
    irqs: [
      { irq: 40, name: 'ena-mgmnt@pci:0000:00:05.0', affinity: '0-7', effectiveAffinity: '0' },
      { irq: 41, name: 'eth0-Tx-Rx-0', affinity: '0-7', effectiveAffinity: '1' },
      { irq: 42, name: 'eth0-Tx-Rx-1', affinity: '0-7', effectiveAffinity: '1' },
    ],
    ...parts,
  });
const busy = {
  packets: 200_000,
  softirq: [2, 90, 1, 1],
  interrupts: { '40': [0, 0, 0, 0], '41': [0, 900, 0, 0], '42': [0, 800, 0, 0] },
};

test('channels: a hot CPU, and the card has more', () => {
  expect(judge(channels, { link: ena(), ...busy })).toMatchObject({
    status: 'warn',
    summary: 'eth0 has 2 of 8 channels on 4 cores, and CPU 1 spends 90 % of its time in interrupts',
    remedy: { commands: ['ethtool -L eth0 combined 4'], undo: 'ethtool -L eth0 combined 2' },
  });
});

test('channels: hyper-threads are not cores', () => {
  const cpus = [0, 1, 2, 3].map((cpu) => ({ cpu, package: 0, core: cpu % 2 }));
  expect(judge(channels, { link: ena(), ...busy, host: { cpus } })?.status).toBe('pass');
});

test('channels: few channels pass while nobody is busy with the card', () => {
  expect(judge(channels, { link: ena(), ...busy, softirq: [2, 30, 1, 1] })?.status).toBe('pass');
  expect(judge(channels, { link: ena(), ...busy, packets: 500 })?.status).toBe('pass');
  // CPU 3 is hot, but this card does not interrupt it.
  expect(judge(channels, { link: ena(), ...busy, softirq: [0, 5, 0, 95] })?.status).toBe('pass');
  expect(judge(channels, { link: ena({ channels: { combined: 8, combinedMax: 8 } }), ...busy })?.status).toBe('pass');
  expect(judge(channels, { link: linkOf({ driver: 'e1000' }), ...busy })?.status).toBe('not-applicable');
  expect(judge(channels, { link: vethOf({ channels: { rx: 1, rxMax: 4 } }), ...busy })?.status).toBe('not-applicable');
});

test('a window of a few ticks cannot tell who is busy', () => {
  const short = (check: Check, link: Link) =>
    judgeOne(check, {
      windowMs: 50,
      net: { links: [link] },
      host: { cpus: cpusOf(4) },
      first: { ...linkReading({ rx_packets: 0 }), host: { cpus: [cpuTimes(0, 0)] } },
      last: { ...linkReading({ rx_packets: 9000 }), host: { cpus: [cpuTimes(0, 5)] } },
    })[0];
  expect(short(channels, ena())?.status).toBe('not-applicable');
  expect(short(rps, virtio())?.status).toBe('not-applicable');
});

test('a CPU that is hot from something else than packets is not this card’s', () => {
  // No interrupts are shown, CPU 1 is hot, but takes no packets off the network.
  const link = linkOf({ channels: { combined: 1, combinedMax: 4 } });
  const load = { link, packets: 200_000, softirq: [0, 90] };
  expect(judge(channels, load)?.status).toBe('warn');
  const quiet = judgeOne(channels, {
    net: { links: [link] },
    host: { cpus: cpusOf(2) },
    first: {
      ...linkReading({ rx_packets: 0 }),
      host: { cpus: [cpuTimes(0, 0), cpuTimes(1, 0)], softnet: [softnetOf(1, 0)] },
    },
    last: {
      ...linkReading({ rx_packets: 200_000 }),
      host: { cpus: [cpuTimes(0, 0, 0, 100), cpuTimes(1, 90, 0, 10)], softnet: [softnetOf(1, 50)] },
    },
  });
  expect(quiet[0]?.status).toBe('pass');
});

const virtio = (parts: Partial<Link> = {}) =>
  linkOf({ driver: 'virtio_net', bus: '0000:00:03.0', rxQueueList: [{ index: 0, cpus: '0', flowCount: 0 }], ...parts });

test('rps: one queue, one hot CPU, another idle: steers to the others, not to the busy one', () => {
  expect(judge(rps, { link: virtio(), packets: 50_000, softirq: [80, 3, 5, 2] })).toMatchObject({
    status: 'warn',
    subject: { interface: 'eth0' },
    summary:
      'eth0 receives 50000 packets a second on one queue; CPU 0 spends 80 % of its time in interrupts while 3 other CPUs have time',
    remedy: {
      commands: ['echo e > /sys/class/net/eth0/queues/rx-0/rps_cpus'],
      undo: 'echo 0 > /sys/class/net/eth0/queues/rx-0/rps_cpus',
      tunes: [{ key: '/sys/class/net/eth0/queues/rx-0/rps_cpus', from: '0', to: 'e' }],
    },
  });
});

test('rps: stays on the node of the card and off the sibling of the busy CPU', () => {
  const cpus = Array.from({ length: 8 }, (_, cpu) => ({
    cpu,
    node: cpu < 4 ? 0 : 1,
    package: cpu < 4 ? 0 : 1,
    core: cpu % 2,
  }));
  const result = judge(rps, {
    link: virtio({ numaNode: 0 }),
    packets: 50_000,
    softirq: [80, 0, 0, 0, 0, 0, 0, 0],
    host: { cpus, numaNodes: 2 },
  });
  expect(result?.remedy?.tunes[0]?.to).toBe('a'); // CPUs 1 and 3: 2 shares a core with 0, 4 to 7 are on node 1
});

test('rps: a VM with one queue on two CPUs passes while no CPU is hot', () => {
  expect(judge(rps, { link: virtio(), packets: 50_000, softirq: [30, 3] })?.status).toBe('pass');
  expect(judge(rps, { link: virtio(), packets: 900, softirq: [90, 3] })?.status).toBe('pass');
  expect(judge(rps, { link: virtio(), packets: 50_000, softirq: [80, 75] })?.status).toBe('pass');
  expect(
    judge(rps, { link: virtio({ rxQueueList: [{ index: 0, cpus: '2' }] }), packets: 50_000, softirq: [80, 3] })?.status,
  ).toBe('pass');
  expect(
    judge(rps, {
      link: virtio({
        rxQueueList: [
          { index: 0, cpus: '0' },
          { index: 1, cpus: '0' },
        ],
      }),
      packets: 50_000,
      softirq: [80, 3],
    })?.status,
  ).toBe('pass');
  expect(judge(rps, { link: virtio({ rxQueueList: [] }), packets: 50_000, softirq: [80, 3] })?.status).toBe(
    'not-applicable',
  );
});

test('rps: a veth pair is an opportunity at most, loopback nothing', () => {
  const veth = vethOf({ rxQueueList: [{ index: 0, cpus: '0' }] });
  expect(judge(rps, { link: veth, packets: 50_000, softirq: [80, 3] })?.status).toBe('info');
  const lo = linkOf({ name: 'lo', type: 'loopback', rxQueueList: [{ index: 0, cpus: '0' }] });
  expect(judge(rps, { link: lo, packets: 50_000, softirq: [80, 3] })?.status).toBe('not-applicable');
});

test('irq-affinity: two queues on one hot CPU; says that irqbalance runs', () => {
  const result = judge(irqAffinity, {
    link: ena(),
    ...busy,
    host: { settingOwners: [{ name: 'irqbalance', pid: 9 }] },
  });
  expect(result).toMatchObject({
    status: 'warn',
    subject: { interface: 'eth0', cpu: 1 },
    summary: '100 % of the interrupts of 2 queues of eth0 run on CPU 1, which spends 90 % of its time in interrupts',
    remedy: { commands: ['echo 0 > /proc/irq/41/smp_affinity_list', 'echo 1 > /proc/irq/42/smp_affinity_list'] },
  });
  expect(result?.remedy?.summary).toContain('irqbalance');
  expect(result?.remedy?.undo).toBe(
    'echo 0-7 > /proc/irq/41/smp_affinity_list; echo 0-7 > /proc/irq/42/smp_affinity_list',
  );
});

test('irq-affinity: concentrated on a cool CPU is info; spread, quiet or single-queue passes', () => {
  expect(judge(irqAffinity, { link: ena(), ...busy, softirq: [0, 20, 0, 0] })?.status).toBe('info');
  expect(judge(irqAffinity, { link: ena(), ...busy, packets: 100 })?.status).toBe('pass');
  const spread = { '41': [0, 900, 0, 0], '42': [0, 0, 800, 0] };
  expect(judge(irqAffinity, { link: ena(), ...busy, interrupts: spread })?.status).toBe('pass');
  const pair = linkOf({
    driver: 'virtio_net',
    irqs: [
      { irq: 38, name: 'virtio2-input.0', effectiveAffinity: '1' },
      { irq: 39, name: 'virtio2-output.0', effectiveAffinity: '1' },
    ],
  });
  const both = { '38': [0, 900, 0, 0], '39': [0, 800, 0, 0] };
  expect(judge(irqAffinity, { link: pair, ...busy, interrupts: both })?.status).toBe('pass');
  expect(judge(irqAffinity, { link: vethOf(), ...busy })?.status).toBe('not-applicable');
  expect(judge(irqAffinity, { link: ena(), ...busy, interrupts: {} })?.status).toBe('unknown');
});

test('irq-affinity: interrupts on another node than the card', () => {
  const host = { cpus: cpusOf(4, 2), numaNodes: 2 };
  const remote = judge(irqAffinity, {
    link: ena({ numaNode: 1 }),
    packets: 200_000,
    softirq: [30, 30, 0, 0],
    interrupts: { '41': [900, 0, 0, 0], '42': [0, 800, 0, 0] },
    host,
  });
  expect(remote).toMatchObject({
    status: 'warn',
    summary: 'all 2 queue interrupts of eth0 run on another NUMA node than the card, which is on node 1',
    remedy: { commands: ['echo 2 > /proc/irq/41/smp_affinity_list', 'echo 3 > /proc/irq/42/smp_affinity_list'] },
  });
  const local = { '41': [0, 0, 900, 0], '42': [0, 0, 0, 800] };
  expect(
    judge(irqAffinity, {
      link: ena({ numaNode: 1 }),
      packets: 200_000,
      softirq: [0, 0, 30, 30],
      interrupts: local,
      host,
    })?.status,
  ).toBe('pass');
  const half = { '41': [900, 0, 0, 0], '42': [0, 0, 0, 800] };
  expect(
    judge(irqAffinity, {
      link: ena({ numaNode: 1 }),
      packets: 200_000,
      softirq: [30, 0, 0, 30],
      interrupts: half,
      host,
    })?.status,
  ).toBe('info');
});
