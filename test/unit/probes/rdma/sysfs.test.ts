import { expect, test } from 'vitest';
import { devicesOf, gidFiles, portCountersOf } from '../../../../src/probes/rdma/sysfs.js';

const rxe = '/sys/class/infiniband/rxe0';
const port = `${rxe}/ports/1`;
const zero = '0000:0000:0000:0000:0000:0000:0000:0000\n';
const files = {
  [`${rxe}/node_type`]: '1: CA\n',
  [`${rxe}/node_desc`]: 'rxe\n',
  [`${rxe}/fw_ver`]: '\n',
  [`${rxe}/node_guid`]: '5054:00ff:fe12:3410\n',
  [`${port}/state`]: '4: ACTIVE\n',
  [`${port}/phys_state`]: '5: LinkUp\n',
  [`${port}/link_layer`]: 'Ethernet\n',
  [`${port}/rate`]: '2.5 Gb/sec (1X SDR)\n',
  [`${port}/gids/0`]: 'fe80:0000:0000:0000:5054:00ff:fe12:3410\n',
  [`${port}/gids/1`]: '0000:0000:0000:0000:0000:ffff:0a09:0001\n',
  [`${port}/gids/2`]: zero,
  [`${port}/gids/10`]: zero,
  [`${port}/gid_attrs/types/0`]: 'RoCE v2\n',
  [`${port}/gid_attrs/types/1`]: 'RoCE v2\n',
  [`${port}/gid_attrs/ndevs/1`]: 'eth0\n',
  [`${port}/hw_counters/sent_pkts`]: '412\n',
  [`${port}/hw_counters/lifespan`]: '10\n',
  [`${port}/counters/port_xmit_data`]: '18446744073709\n',
  [`${port}/counters/VL15_dropped`]: 'N/A (no PMA)\n',
};

test('a device with its ports, addresses and counters', () => {
  expect(devicesOf({ files, links: {} })).toEqual([
    {
      name: 'rxe0',
      nodeType: 'CA',
      driver: 'rxe',
      nodeGuid: '5054:00ff:fe12:3410',
      ports: [
        {
          port: 1,
          state: 'ACTIVE',
          physicalState: 'LinkUp',
          linkLayer: 'Ethernet',
          rate: '2.5 Gb/sec (1X SDR)',
          rateGbps: 2.5,
          interface: 'eth0',
          gids: [
            { index: 0, gid: 'fe80:0000:0000:0000:5054:00ff:fe12:3410', type: 'RoCE v2' },
            { index: 1, gid: '0000:0000:0000:0000:0000:ffff:0a09:0001', type: 'RoCE v2', interface: 'eth0' },
          ],
          counters: { sent_pkts: 412, port_xmit_data: 18446744073709 },
        },
      ],
    },
  ]);
});

test('a card has the driver and the node of its PCI function', () => {
  const mlx = '/sys/class/infiniband/mlx5_0';
  const read = {
    files: {
      [`${mlx}/node_desc`]: 'host1 mlx5_0\n',
      [`${mlx}/device/numa_node`]: '1\n',
      [`${mlx}/fw_ver`]: '22.39.1002\n',
    },
    links: { [`${mlx}/device/driver`]: '../../../../bus/pci/drivers/mlx5_core' },
  };
  expect(devicesOf(read)).toEqual([
    { name: 'mlx5_0', driver: 'mlx5_core', firmware: '22.39.1002', numaNode: 1, ports: [] },
  ]);
});

test('asks only for the attributes of addresses that are in use', () => {
  expect(gidFiles({ files })).toEqual([
    `${port}/gid_attrs/types/0`,
    `${port}/gid_attrs/ndevs/0`,
    `${port}/gid_attrs/types/1`,
    `${port}/gid_attrs/ndevs/1`,
  ]);
});

test('counters by device and port; what is not a number is left out', () => {
  const second = { '/sys/class/infiniband/mlx5_0/ports/2/counters/port_rcv_errors': '3\n' };
  expect(portCountersOf({ files: { ...files, ...second } })).toEqual([
    { device: 'mlx5_0', port: 2, counters: { port_rcv_errors: 3 } },
    { device: 'rxe0', port: 1, counters: { sent_pkts: 412, port_xmit_data: 18446744073709 } },
  ]);
  expect(portCountersOf({ files: {} })).toEqual([]);
});
