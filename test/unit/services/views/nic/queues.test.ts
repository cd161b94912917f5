import { expect, test } from 'vitest';
import { queueRates } from '../../../../../src/services/views/nic/queues.js';
import { countersOf, linkOf, vethOf } from '../../../../support/links.js';

const rates = (first: Record<string, number>, last: Record<string, number>, link = linkOf()) =>
  queueRates(link, countersOf({}, first), countersOf({}, last), 2);

test.each([
  ['mlx5', 'rx3_packets', 'rx3_bytes'],
  ['ice, igb, older virtio_net', 'rx_queue_3_packets', 'rx_queue_3_bytes'],
  ['i40e', 'rx-3.packets', 'rx-3.bytes'],
  ['ena', 'queue_3_rx_cnt', 'queue_3_rx_bytes'],
  ['gve', 'rx_packets[3]', 'rx_bytes[3]'],
])('the statistics of %s', (_, packets, bytes) => {
  const [row] = rates({ [packets]: 10, [bytes]: 0 }, { [packets]: 30, [bytes]: 1000 });
  expect(row).toEqual({ direction: 'rx', index: 3, packets: 30, packetsPerS: 10, bps: 4000 });
});

test('bnxt counts packets by how they are addressed', () => {
  const first = { '[0]: rx_ucast_packets': 1, '[0]: rx_mcast_packets': 1, '[0]: rx_discards': 0 };
  const last = { '[0]: rx_ucast_packets': 5, '[0]: rx_mcast_packets': 3, '[0]: rx_discards': 4 };
  expect(rates(first, last)).toEqual([
    { direction: 'rx', index: 0, packets: 8, packetsPerS: 3, drops: 4, dropsPerS: 2 },
  ]);
});

test('sums over all queues and other counters are no queues; receive comes before transmit', () => {
  const names = {
    rx_packets: 9,
    tx1_packets: 2,
    tx0_packets: 1,
    rx0_packets: 1,
    rx0_csum_none: 7,
    tx_queue_stopped: 1,
  };
  expect(rates(names, names).map(({ direction, index }) => `${direction}${index}`)).toEqual(['rx0', 'tx0', 'tx1']);
});

test('what an XDP program handled counts as packets for veth alone', () => {
  const [first, last] = [{ rx_queue_0_xdp_packets: 0 }, { rx_queue_0_xdp_packets: 8 }];
  expect(rates(first, last, vethOf())[0]).toMatchObject({ packets: 8, packetsPerS: 4 });
  expect(rates(first, last, linkOf({ driver: 'virtio_net' }))).toEqual([]);
});

test("the kernel's own statistics of queues win over the driver's", () => {
  const queue = (packets: number) => [{ direction: 'rx' as const, index: 0, packets, bytes: packets * 100 }];
  const first = { ...countersOf({}, { rx0_packets: 1, rx0_drops: 0 }), queues: queue(10) };
  const last = { ...countersOf({}, { rx0_packets: 1, rx0_drops: 6 }), queues: queue(20) };
  expect(queueRates(linkOf(), first, last, 2)).toEqual([
    { direction: 'rx', index: 0, packets: 20, packetsPerS: 5, bps: 4000, drops: 6, dropsPerS: 3 },
  ]);
});
