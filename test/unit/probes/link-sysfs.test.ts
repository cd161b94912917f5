import { expect, test } from 'vitest';
import type { Link } from '../../../src/model/snapshot/index.js';
import { addInterrupts, affinityFiles, interruptNames, interruptsOf } from '../../../src/probes/link-interrupts.js';
import { addSysfs, sysfsFiles } from '../../../src/probes/link-sysfs.js';

const link = (name: string): Link => ({ index: 2, name, type: 'ether', up: true, operState: 'up', mtu: 1500 });

const at = (name: string, entries: Record<string, string>) =>
  Object.fromEntries(Object.entries(entries).map(([file, text]) => [`/sys/class/net/${name}/${file}`, text]));

const interrupts = `            CPU0       CPU1
   1:          9          0  IR-IO-APIC    1-edge      i8042
  24:       1200          3  IR-PCI-MSIX-0000:01:00.0    0-edge      eth0
  25:          7    8812345  IR-PCI-MSI 524289-edge      eth0-TxRx-0
  26:          0          0  IR-PCI-MSI 524290-edge
  27:          0         12  ITS-MSI 524291 Edge      eth1-TxRx-0, ahci
  48:          0          0  xen-dyn    -event     vif0-q0-tx
 NMI:          4          5   Non-maskable interrupts
`;

test('a PCI device tells its node, its lanes and its queues', () => {
  const files = at('eth0', {
    'device/numa_node': '1\n',
    'device/current_link_speed': '8.0 GT/s PCIe\n',
    'device/max_link_speed': '16.0 GT/s PCIe\n',
    'device/current_link_width': '8\n',
    'device/max_link_width': '16\n',
    gro_flush_timeout: '20000\n',
    napi_defer_hard_irqs: '2\n',
    threaded: '1\n',
    'queues/rx-0/rps_cpus': '00000000,00000000\n',
    'queues/rx-0/rps_flow_cnt': '2048\n',
    'queues/rx-10/rps_cpus': '00000001,000000ff\n',
    'queues/rx-2/rps_flow_cnt': '0\n',
    'queues/tx-0/xps_cpus': '3\n',
    'queues/tx-1/tx_timeout': '0\n',
  });
  expect(addSysfs(link('eth0'), { files, links: at('eth0', { 'device/subsystem': '../../../../bus/pci' }) })).toEqual({
    ...link('eth0'),
    numaNode: 1,
    pcie: { speedGts: 8, maxSpeedGts: 16, width: 8, maxWidth: 16 },
    groFlushTimeoutNs: 20000,
    napiDeferHardIrqs: 2,
    threadedNapi: true,
    rxQueueList: [
      { index: 0, cpus: '0', flowCount: 2048 },
      { index: 2, flowCount: 0 },
      { index: 10, cpus: '1000000ff' },
    ],
    txQueueList: [{ index: 0, cpus: '3' }, { index: 1 }],
  });
});

test('what the kernel does not know is absent', () => {
  const files = at('eth0', {
    'device/numa_node': '-1\n',
    'device/current_link_speed': 'Unknown\n',
    'device/max_link_speed': 'Unknown\n',
    'device/current_link_width': '0\n',
    'device/max_link_width': '255\n',
  });
  const links = at('eth0', { 'device/subsystem': '../../../../bus/pci' });
  expect(addSysfs(link('eth0'), { files, links })).toEqual(link('eth0'));
  expect(addSysfs(link('lo'), { files: {}, links: {} })).toEqual(link('lo'));
});

test('the PCI function of a virtio device is its parent', () => {
  const links = at('eth0', { 'device/subsystem': '../../../bus/virtio', 'device/../subsystem': '../../../bus/pci' });
  const files = {
    ...at('eth0', {
      'device/../numa_node': '0\n',
      'device/../msi_irqs/25': 'msix\n',
      'device/../msi_irqs/24': 'msix\n',
      'device/../msi_irqs/26': 'msix\n',
    }),
    '/proc/interrupts': interrupts,
  };
  expect(addSysfs(link('eth0'), { files, links }).numaNode).toBe(0);
  const found = interruptsOf([link('eth0')], { files, links });
  expect(affinityFiles(found)).toContain('/proc/irq/25/effective_affinity_list');
  const affinity = { '/proc/irq/25/smp_affinity_list': '0-1\n', '/proc/irq/25/effective_affinity_list': '1\n' };
  expect(addInterrupts(link('eth0'), found, affinity).irqs).toEqual([
    { irq: 24, name: 'eth0' },
    { irq: 25, name: 'eth0-TxRx-0', affinity: '0-1', effectiveAffinity: '1' },
  ]);
});

test('a wired interrupt is taken where the function has no message-signalled ones', () => {
  const links = at('eth0', { 'device/subsystem': '../../../bus/pci' });
  const files = { ...at('eth0', { 'device/irq': '24\n' }), '/proc/interrupts': interrupts };
  expect(interruptsOf([link('eth0')], { files, links })).toEqual({ eth0: [{ irq: 24, name: 'eth0' }] });
});

test('without a PCI function the names decide, and a longer name of another link does not match', () => {
  const read = { files: { '/proc/interrupts': interrupts }, links: at('vif0', { device: '../../../vif-0' }) };
  expect(interruptsOf([link('vif0'), link('eth'), link('eth1')], read)).toEqual({
    vif0: [{ irq: 48, name: 'vif0-q0-tx' }],
    eth1: [{ irq: 27, name: 'eth1-TxRx-0, ahci' }],
  });
});

test('names stand last, and an interrupt nobody asked for has none', () => {
  expect(Object.fromEntries(interruptNames(interrupts))).toEqual({
    1: 'i8042',
    24: 'eth0',
    25: 'eth0-TxRx-0',
    27: 'eth1-TxRx-0, ahci',
    48: 'vif0-q0-tx',
  });
  expect(interruptNames('')).toEqual(new Map());
});

test('asks for the files of every link', () => {
  const asked = sysfsFiles([link('eth0'), link('eth1')]);
  expect(asked.files).toContain('/sys/class/net/eth1/device/../max_link_width');
  expect(asked.trees).toContain('/sys/class/net/eth0/queues');
  expect(asked.links).toContain('/sys/class/net/eth0/device/subsystem');
});
