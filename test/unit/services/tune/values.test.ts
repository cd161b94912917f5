import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryOf } from '../../../../src/services/tune/journal/entry.js';
import { type JournalRecord, lineOf, recordsOf } from '../../../../src/services/tune/journal/records.js';
import { inOrder } from '../../../../src/services/tune/order.js';
import { improves, raises, sameSetting } from '../../../../src/services/tune/values.js';

describe('values', () => {
  it.each([
    ['4096', '8192', true],
    ['8192', '4096', false],
    ['4096 131072 33554432', '4096 131072 67108864', true],
    ['4096 131072 33554432', '4096 65536 67108864', false],
    ['1024:4096', '4096:unlimited', true],
    ['cubic', 'bbr', true],
  ])('%s to %s raises: %s', (from, to, expected) => {
    expect(raises(from, to)).toBe(expected);
  });

  it.each([
    ['0', '1000', '1024', true], // rounded up
    ['256', '8192', '4096', true], // held at a limit
    ['1024', '1000', '1024', false], // rounded away
    ['1024', '2048', '512', false], // the other way
    ['4 5 6', '4 5 9', '4 5 8', true],
    ['cubic', 'bbr', 'reno', false],
  ])('from %s, asked for %s, got %s: improves %s', (from, asked, actual, expected) => {
    expect(improves(from, asked, actual)).toBe(expected);
  });

  it('compares masks by their bits', () => {
    const key = '/sys/class/net/eth0/queues/rx-0/rps_cpus';
    expect(sameSetting(key, 'f', '00000000,0000000f')).toBe(true);
    expect(sameSetting(key, 'f', 'f0')).toBe(false);
    expect(sameSetting('net.core.somaxconn', '010', '10')).toBe(false);
  });
});

describe('the order of writes', () => {
  it('puts what others depend on first, and leaves the rest as it is', () => {
    const keys = [
      'limit:1:nofile',
      'net.ipv4.tcp_rmem',
      'fs.nr_open',
      'net.core.somaxconn',
      'net.core.rmem_max',
      'fs.file-max',
    ];
    expect(inOrder(keys.map((key) => ({ key }))).map(({ key }) => key)).toEqual([
      'net.core.somaxconn',
      'net.core.rmem_max',
      'net.ipv4.tcp_rmem',
      'fs.file-max',
      'fs.nr_open',
      'limit:1:nofile',
    ]);
  });

  it('ends with a plan that goes in a circle, and loses no row', () => {
    const rows = [
      { key: 'net.a', after: ['net.b'] },
      { key: 'net.b', after: ['net.a'] },
    ];
    expect(
      inOrder(rows)
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(['net.a', 'net.b']);
  });
});

describe('lines of the journal', () => {
  const record = (row: number): JournalRecord => ({ type: 'wrote', row, after: { 'net.core.somaxconn': `${row}` } });

  it('are read up to where they are cut, wherever that is', () => {
    const text = [1, 2, 3].map((row) => lineOf(record(row))).join('');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.length }), (length) => {
        const whole = text.slice(0, length).split('\n').length - 1;
        const { records } = recordsOf(text.slice(0, length));
        // All but its line feed is all of a line.
        expect(records.length - whole).toBeLessThanOrEqual(1);
        expect(records).toEqual([1, 2, 3].slice(0, records.length).map(record));
      }),
    );
  });

  it('are believed only as they were written', () => {
    const line = lineOf(record(7));
    expect(recordsOf(line.replace('"7"', '"8"'))).toEqual({ records: [], damaged: 1 });
    expect(entryOf([], 1)).toBeUndefined();
  });
});
