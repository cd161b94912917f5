import { expect, test } from 'vitest';
import { parseStat } from '../../../../src/probes/host/cpu-times.js';
import { onlyNetwork, parseCpuTable, softirqs } from '../../../../src/probes/host/interrupts.js';
import { parseFileNr, parseMeminfo, parseVmstat } from '../../../../src/probes/host/memory.js';
import { parsePressure } from '../../../../src/probes/host/pressure.js';
import { parseSoftnet } from '../../../../src/probes/host/softnet.js';
import { foundOf } from '../../../support/found.js';

test('/proc/stat: each CPU, an offline one left out, and the host-wide counts', () => {
  const text = [
    'cpu  10 0 0 0 0 0 0 0 0 0',
    'cpu0 1 2 3 4 5 6 7 8 0 0',
    'cpu2 11 0 13 14 15 16 17 18 0 0',
    'intr 99 1 2',
    'ctxt 1234',
    'btime 1700000000',
    'processes 56',
    'procs_running 3',
  ].join('\n');
  expect(parseStat(text)).toEqual({
    cpus: [
      { cpu: 0, user: 1, nice: 2, system: 3, idle: 4, iowait: 5, irq: 6, softirq: 7, steal: 8 },
      { cpu: 2, user: 11, nice: 0, system: 13, idle: 14, iowait: 15, irq: 16, softirq: 17, steal: 18 },
    ],
    contextSwitches: 1234,
    forks: 56,
    runnable: 3,
  });
});

const zeros = (count: number) => Array(count).fill('00000000').join(' ');

test('softnet: the CPU is column 13, whatever the line', () => {
  const text = `0000000a 00000001 00000002 ${zeros(6)} 00000003 00000004 00000005 00000007 00000000 00000000\n`;
  expect(parseSoftnet(text, [0])).toEqual([
    { cpu: 7, processed: 10, dropped: 1, squeezed: 2, receivedRps: 3, flowLimit: 4, backlogLength: 5 },
  ]);
});

test('softnet of older kernels: fewer columns, lines in the order of the online CPUs', () => {
  const line = (processed: string, columns: number) => `${processed} ${zeros(columns - 1)}\n`;
  expect(parseSoftnet(line('0000000a', 11) + line('0000000b', 11), [0, 2])).toEqual([
    { cpu: 0, processed: 10, dropped: 0, squeezed: 0, receivedRps: 0, flowLimit: 0 },
    { cpu: 2, processed: 11, dropped: 0, squeezed: 0, receivedRps: 0, flowLimit: 0 },
  ]);
  expect(parseSoftnet(line('0000000a', 9), [3])).toEqual([{ cpu: 3, processed: 10, dropped: 0, squeezed: 0 }]);
  expect(parseSoftnet('', [0])).toEqual([]);
});

const INTERRUPTS = [
  '           CPU0       CPU2       ',
  ' 24:          1          2   PCI-MSI 524288-edge      eth0-TxRx-0',
  ' 25:          3          4   PCI-MSI 1-edge      virtio3-input.0',
  ' 26:          5          6   PCI-MSI 2-edge      nvme0q0, mlx5_comp1@pci:0000:01:00.0',
  'NMI:          7          8   Non-maskable interrupts',
  'ERR:          0',
].join('\n');

test('/proc/interrupts: rows per CPU; those of the network by number or by the beginning of the name', () => {
  const table = parseCpuTable(INTERRUPTS, /^\s*\d+:/);
  expect(table.rows.map((row) => row.name)).toEqual(['24', '25', '26']);
  expect(onlyNetwork(table, { irqs: new Set(['26']), names: ['eth0', 'virtio3'] })).toEqual({
    cpus: [0, 2],
    counts: { 24: [1, 2], 25: [3, 4], 26: [5, 6] },
  });
  expect(onlyNetwork(table, { irqs: new Set(), names: ['eth', 'virtio'] }).counts).toEqual({});
});

test('/proc/softirqs: receiving and sending only', () => {
  const text =
    '                    CPU0       CPU1\n       TIMER:    9    9\n      NET_TX:    1    2\n      NET_RX:    3    4\n';
  expect(softirqs.parse(foundOf({ files: { '/proc/softirqs': text } }))).toEqual({
    cpus: [0, 1],
    counts: { NET_TX: [1, 2], NET_RX: [3, 4] },
  });
});

test('pressure with and without "full"', () => {
  const some = 'some avg10=1.25 avg60=0.00 avg300=0.00 total=100\n';
  expect(parsePressure(some)).toEqual({ someTotalUs: 100, someAvg10: 1.25 });
  expect(parsePressure(`${some}full avg10=0.50 avg60=0.00 avg300=0.00 total=7\n`)).toMatchObject({
    fullTotalUs: 7,
    fullAvg10: 0.5,
  });
  expect(parsePressure('')).toBeUndefined();
});

test('memory in bytes, events, descriptors', () => {
  expect(parseMeminfo('MemTotal:       100 kB\nActive(anon):    2 kB\nHugePages_Total:   5\n')).toEqual({
    MemTotal: 102400,
    'Active(anon)': 2048,
  });
  expect(parseVmstat('nr_free_pages 12\npswpin 3\nallocstall_normal 0\n')).toEqual({ pswpin: 3, allocstall_normal: 0 });
  expect(parseFileNr('704\t0\t9223372036854775807\n')).toEqual({ allocated: 704, max: 2 ** 63 });
  expect(parseFileNr('')).toBeUndefined();
});
