import { expect, test } from 'vitest';
import { type DescriptorSource, descriptorRows } from '../../../../src/services/views/descriptors.js';

const source = (pid: number, open: number, parts: Partial<DescriptorSource> = {}): DescriptorSource => ({
  pid,
  comm: `p${pid}`,
  uid: 0,
  startTicks: 100,
  netns: '1',
  descriptors: { open, sockets: 2, highest: open + 2, softLimit: 100, hardLimit: 200 },
  tcp: { established: 1, 'close-wait': 1 },
  udp: 0,
  unix: 0,
  ...parts,
});

test('the fullest by its limit comes first, and what could not be read is left out', () => {
  const rows = descriptorRows({
    monotonicMs: 0,
    processes: [
      source(1, 50, { descriptors: { open: 50, sockets: 0, highest: 9, softLimit: 1000 } }),
      source(2, 20),
      source(3, 900, { descriptors: { open: 900, sockets: 0, highest: 9 } }),
      { ...source(4, 1), descriptors: undefined as never },
    ],
  });
  expect(rows.map(({ pid, usedShare }) => [pid, usedShare])).toEqual([
    [2, 0.2],
    [1, 0.05],
    [3, undefined],
  ]);
  expect(rows[0]).toMatchObject({ tcp: 2, closeWait: 1, hardLimit: 200, highest: 22 });
  expect(rows[0]).not.toHaveProperty('growthPerS');
});

test('growth is per second of the real window, and only of the same process', () => {
  const kinds = (file: number) => ({ kinds: { file, tcp: 2 } });
  const before = { monotonicMs: 1000, processes: [source(1, 10, kinds(8)), source(2, 10)] };
  const now = { monotonicMs: 3000, processes: [source(1, 16, kinds(14)), source(2, 30, { startTicks: 101 })] };
  const rows = descriptorRows(now, before);
  expect(rows.find(({ pid }) => pid === 1)).toMatchObject({ growthPerS: 3, growthByKind: { file: 6 } });
  expect(rows.find(({ pid }) => pid === 2)).not.toHaveProperty('growthPerS');
});

test('sockets of a namespace that was not read are unknown, not none', () => {
  const rows = descriptorRows({
    monotonicMs: 0,
    processes: [source(1, 5, { netns: '7' })],
    namespaces: new Set(['1']),
  });
  expect(rows[0]).toMatchObject({ sockets: 2 });
  expect(rows[0]).not.toHaveProperty('tcp');
  expect(rows[0]).not.toHaveProperty('closeWait');
});
