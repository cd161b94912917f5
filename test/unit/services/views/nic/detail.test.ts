import { expect, test } from 'vitest';
import { nicDetail } from '../../../../../src/services/views/nic/detail.js';
import { countersOf, cpusOf, linkOf } from '../../../../support/links.js';

const link = linkOf({
  irqs: [
    { irq: 44, name: 'eth0-TxRx-0', affinity: '0-7', effectiveAffinity: '5' },
    { irq: 45, name: 'eth0-TxRx-1', affinity: '2-5' },
  ],
});
const qdisc = {
  kind: 'tbf',
  handle: '1:',
  parent: 'root',
  overlimits: 0,
  requeues: 0,
  backlogBytes: 0,
  backlogPackets: 0,
};
const moment = (monotonicMs: number, counts: number[], drops: number) => ({
  monotonicMs,
  counters: {
    ...countersOf({ rx_bytes: drops * 10, rx_errors: 0 }, { rx_out_of_buffer: drops }),
    qdiscs: [{ ...qdisc, bytes: drops * 100, packets: drops, drops }],
  },
  interrupts: { cpus: [0, 1, 5], rows: [{ name: '44', counts }] },
});
const facts = { link, addresses: [], cpus: cpusOf(8, 2), rdma: undefined };

test('interrupts: how many, on which CPUs they ran, and the nodes where they may', () => {
  const { irqs } = nicDetail(facts, moment(3000, [4, 0, 90], 0), moment(1000, [4, 0, 10], 0));
  expect(irqs[0]).toMatchObject({ irq: 44, perS: 40, cpus: [5], numaNodes: [1] });
  // No effective affinity, and not in the table: what is known stands there, the rest is absent.
  expect(irqs[1]).toMatchObject({ irq: 45, numaNodes: [0, 1] });
  expect(irqs[1]).not.toHaveProperty('perS');
});

test('queueing disciplines and counters have rates; counters at zero are left out', () => {
  const { qdiscs, counters } = nicDetail(facts, moment(3000, [], 30), moment(1000, [], 10));
  expect(qdiscs).toEqual([
    expect.objectContaining({ kind: 'tbf', drops: 30, dropsPerS: 10, packetsPerS: 10, bps: 8000 }),
  ]);
  expect(counters).toEqual([
    { source: 'standard', name: 'rx_bytes', total: 300, perS: 100 },
    { source: 'driver', name: 'rx_out_of_buffer', total: 30, perS: 10 },
  ]);
});

test('a single reading has totals and no rates', () => {
  const { qdiscs, counters, irqs } = nicDetail(facts, moment(3000, [1, 2, 3], 30), undefined);
  expect(qdiscs[0]).not.toHaveProperty('dropsPerS');
  expect(counters[0]).not.toHaveProperty('perS');
  expect(irqs[0]).not.toHaveProperty('cpus');
});
