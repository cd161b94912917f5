import { expect, test } from 'vitest';
import type { NicDocument } from '../../../../src/model/views/nic.js';
import { prettyNic } from '../../../../src/report/pretty/nic.js';
import { linkOf } from '../../../support/links.js';

const link = linkOf({
  speedMbps: 25_000,
  supportedSpeedMbps: 100_000,
  duplex: 'full',
  partnerModes: ['25000baseCR/Full', 'Pause'],
  errorCorrection: 'RS',
  rings: { rx: 1024, rxMax: 8192, tx: 1024, txMax: 8192 },
  channels: { rx: 0, rxMax: 0, tx: 0, txMax: 0, combined: 8, combinedMax: 16 },
  coalescing: { rxUsecs: 8, rxFrames: 128, txUsecs: 16, txFrames: 32, adaptiveRx: true, adaptiveTx: false },
  rss: { hashFunction: 'toeplitz', tableSize: 128, queuesUsed: 8 },
  pause: { autoNegotiation: false, rx: true, tx: false },
  pcie: { speedGts: 8, maxSpeedGts: 8, width: 4, maxWidth: 8 },
  features: {
    'rx-gro': { on: true, changeable: true },
    'tx-tcp-segmentation': { on: false, changeable: true },
    'tx-vlan-offload': { on: false, changeable: false },
  },
});
const row = { name: 'eth0', state: 'up', mtuBytes: 1500, driver: 'mlx5_core', rxBps: 9.4e9, txBps: 0, rxDropsPerS: 12 };
const document: NicDocument = {
  schemaVersion: 1,
  command: 'nic',
  version: '0',
  takenAt: '2026-01-01T00:00:00.000Z',
  windowMs: 1000,
  interfaces: [row],
  detail: {
    link,
    addresses: [{ interface: 'eth0', family: 'inet', address: '10.0.0.1', prefixLength: 24, scope: 'global' }],
    queues: [{ direction: 'rx', index: 0, bps: 9.4e9, packetsPerS: 800_000 }],
    irqs: [
      { irq: 44, name: 'mlx5_comp0', affinity: '0-7', effectiveAffinity: '3', perS: 12_000, cpus: [3], numaNodes: [0] },
    ],
    qdiscs: [],
    counters: [
      { source: 'standard', name: 'rx_packets', total: 5 },
      { source: 'driver', name: 'rx_out_of_buffer', total: 812, perS: 12 },
    ],
    rdma: {
      able: false,
      reason: 'port-down',
      sentence: 'No: port 1 of mlx5_0 is DOWN',
      next: { summary: 'Bring it up', commands: ['ip link set eth0 up'] },
    },
  },
  gaps: [],
};
const look = { columns: 110, colour: false, unicode: true, verbose: false, all: false, interactive: true };

test('a row has its rates, and drops are red', () => {
  const { detail: _, ...rows } = document;
  expect(prettyNic(rows, look)).toMatch(/eth0 +up +9\.4 Gbit\/s +0 bit\/s +12\/s/);
  expect(prettyNic(rows, { ...look, colour: true })).toContain('\u001b[31m12/s\u001b[0m');
});

test('all about one interface', () => {
  const text = prettyNic(document, look);
  for (const part of [
    'supports up to 100000 Mbit/s',
    'error correction RS',
    '25000baseCR/Full, Pause',
    '4 of 8 lanes',
    'combined 8 of 16',
    'rx 1024 of 8192, tx 1024 of 8192',
    'adaptive rx on, adaptive tx off, rx 8 µs, rx frames 128',
    '128 entries over 8 queues, toeplitz',
    'autonegotiation off, rx on, tx off',
    'rx_out_of_buffer',
    'No: port 1 of mlx5_0 is DOWN',
    'ip link set eth0 up',
  ])
    expect(text).toContain(part);
  expect(text).toMatch(/could be on +tx-tcp-segmentation/);
  expect(text).not.toContain('rx_packets');
  expect(text).not.toContain('tx-vlan-offload');
  const all = prettyNic(document, { ...look, verbose: true });
  expect(all).toContain('rx_packets');
  expect(all).toMatch(/never +tx-vlan-offload/);
});

test.each([20, 40, 60, 200])('fits %i columns, in ASCII too', (columns) => {
  const text = prettyNic(document, { ...look, columns, unicode: false });
  expect(text).toMatch(/^[\x20-\x7e\n]*$/);
  // Commands are folded for copying; everything else fits.
  const widest = Math.max(...text.split('\n').map((line) => line.length));
  expect(widest).toBeLessThanOrEqual(columns);
});

test('of hundreds of interfaces a terminal shows those that lose or move most, in their order', () => {
  const { detail: _, ...rest } = document;
  const quiet = Array.from({ length: 200 }, (_, at) => ({
    name: `veth${at}`,
    kind: 'veth',
    state: 'up',
    mtuBytes: 1500,
  }));
  const many = {
    ...rest,
    interfaces: [
      ...quiet.slice(0, 150),
      { ...quiet[0], name: 'lossy', state: 'up', mtuBytes: 1500, rxDropsPerS: 1 },
      ...quiet.slice(150),
      row,
    ],
  };
  const lines = prettyNic(many, look).split('\n');
  expect(lines.length).toBeLessThan(50);
  expect(lines.find((line) => line.startsWith('lossy'))).toBeDefined();
  expect(lines.find((line) => line.startsWith('eth0'))).toBeDefined();
  expect(lines.at(-2)).toBe('and 162 quieter ones (--all)');
  expect(prettyNic(many, { ...look, all: true }).split('\n').length).toBeGreaterThan(200);
});

test('while watching, what moves comes before how it is set', () => {
  const order = (options: object) => {
    const text = prettyNic(document, { ...look, ...options });
    return text.indexOf('Interrupts') < text.indexOf('Link\n');
  };
  expect([order({}), order({ rows: 24 })]).toEqual([false, true]);
});
