import { expect, test } from 'vitest';
import { nicRows } from '../../../../src/services/views/nic.js';
import { countersOf, linkOf, rdmaDeviceOf, rdmaOf, rdmaPortOf, vethOf } from '../../../support/links.js';

const at = (monotonicMs: number, standard: Record<string, number>, name?: string) => ({
  monotonicMs,
  counters: [countersOf(standard, undefined, name)],
});

test('rates are per second of the real window', () => {
  const before = at(1000, {
    rx_bytes: 100,
    tx_bytes: 0,
    rx_packets: 1,
    rx_dropped: 5,
    rx_missed_errors: 1,
    rx_errors: 0,
    tx_errors: 2,
  });
  const now = at(3000, {
    rx_bytes: 1100,
    tx_bytes: 50,
    rx_packets: 11,
    rx_dropped: 7,
    rx_missed_errors: 2,
    rx_errors: 4,
    tx_errors: 2,
  });
  const [row] = nicRows({ links: [linkOf({ speedMbps: 25_000 })] }, now, before);
  expect(row).toMatchObject({
    name: 'eth0',
    speedBps: 25e9,
    rxBps: 4000,
    txBps: 200,
    rxPacketsPerS: 5,
    rxDropsPerS: 1.5,
    errorsPerS: 2,
  });
  expect(row).not.toHaveProperty('txPacketsPerS');
});

test('a counter that went back has no rate, and a single reading has none', () => {
  const links = [linkOf()];
  const back = nicRows({ links }, at(2000, { rx_bytes: 5 }), at(1000, { rx_bytes: 10 }));
  expect(back[0]).not.toHaveProperty('rxBps');
  expect(nicRows({ links }, at(2000, { rx_bytes: 5 }))[0]).not.toHaveProperty('rxBps');
});

test('the state is that of the reading, the facts may be older', () => {
  const counters = [{ ...countersOf({}), operState: 'down' }];
  expect(nicRows({ links: [linkOf()] }, { monotonicMs: 0, counters })[0]?.state).toBe('down');
});

test('the RDMA verdict stands at the interface that it is about', () => {
  const links = [
    linkOf(),
    linkOf({ name: 'eth1', bus: '0000:02:00.0' }),
    vethOf(),
    vethOf({ name: 'vlan5', kind: 'vlan' }),
  ];
  const port = rdmaPortOf();
  const gids = [...port.gids, { index: 4, gid: '0', type: 'RoCE v2', interface: 'vlan5' }];
  const rdma = rdmaOf([rdmaDeviceOf({ ports: [{ ...port, gids }] })]);
  const words = nicRows({ links, rdma }, { monotonicMs: 0, counters: [] }).map((row) => row.rdma);
  expect(words).toEqual(['yes, mlx5_0', 'no', undefined, 'yes, mlx5_0']);
  const down = rdmaOf([rdmaDeviceOf({ ports: [rdmaPortOf({ state: 'DOWN' })] })]);
  expect(nicRows({ links, rdma: down }, { monotonicMs: 0, counters: [] })[0]?.rdma).toBe('port down');
});

test('without any RDMA device only the card that lacks its driver is told apart', () => {
  const rdma = rdmaOf([], {
    capableHardware: [{ bus: '0000:01:00.0', vendor: '15b3', device: '1017', wants: 'mlx5_ib' }],
  });
  const links = [linkOf(), linkOf({ name: 'eth1', bus: '0000:02:00.0' })];
  expect(nicRows({ links, rdma }, { monotonicMs: 0, counters: [] }).map((row) => row.rdma)).toEqual([
    'no driver',
    'no',
  ]);
});
