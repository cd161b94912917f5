import { describe, expect, test } from 'vitest';
import { memaslapRate } from '../../../../src/services/bench/apps/memcached.js';
import { pgbenchRate } from '../../../../src/services/bench/apps/postgres.js';
import { redisRate } from '../../../../src/services/bench/apps/redis.js';
import { wrkRate } from '../../../../src/services/bench/apps/wrk.js';
import { placements } from '../../../../src/services/bench/cases.js';
import { allowedCpus } from '../../../../src/services/bench/host.js';
import { othersPercent } from '../../../../src/services/bench/neighbours.js';
import { checkedDuration, cpusOf, cpusToUse, transportsOf } from '../../../../src/services/bench/options.js';

describe('--transport', () => {
  test('is a list, in the order of the catalogue', () => {
    expect(transportsOf('shm, kernel,shm')).toEqual(['kernel', 'shm']);
  });

  test.each([
    ['', 2, 'is no transport'],
    ['kernel,', 2, 'is no transport'],
    ['tcp', 2, '"tcp" is no transport'],
    ['rdma', 4, 'not built yet'],
  ])('%j is an error with exit code %i', (text, code, message) => {
    expect(() => transportsOf(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});

describe('--cpus', () => {
  test('are one or two', () => {
    expect(cpusOf('3,1')).toEqual([3, 1]);
    expect(cpusOf('2')).toEqual([2]);
  });

  test.each(['', 'a', '0,1,2', '1,1', '-1', '0-3'])('%j is wrong use', (text) => {
    expect(() => cpusOf(text)).toThrow(expect.objectContaining({ code: 2 }));
  });

  test('are the first two that we may use, unless named', () => {
    expect(cpusToUse(undefined, [4, 5, 6])).toEqual([4, 5]);
    expect(cpusToUse([6], [4, 5, 6])).toEqual([6]);
    expect(() => cpusToUse([1], [4, 5])).toThrow(
      expect.objectContaining({
        code: 4,
        message: expect.stringContaining('4, 5'),
        next: expect.stringContaining('--cpus 4,5'),
      }),
    );
  });

  test('of this process are read from its status', () => {
    expect(allowedCpus('Cpus_allowed:\tf\nCpus_allowed_list:\t0-2,5\n')).toEqual([0, 1, 2, 5]);
    expect(allowedCpus('')).toEqual([]);
  });

  test('with two of them both placements are measured, with one the shared one', () => {
    expect(placements([2, 3])).toEqual([
      [2, 3],
      [2, 2],
    ]);
    expect(placements([2])).toEqual([[2, 2]]);
  });
});

test('--duration has limits', () => {
  expect(checkedDuration(10)).toBe(10);
  for (const ms of [9, 600_001]) expect(() => checkedDuration(ms)).toThrow(expect.objectContaining({ code: 2 }));
});

describe('what others took of the CPUs', () => {
  test('is what was busy and not ours', () => {
    const before = { atMs: 0, busy: 1000, ours: 500 };
    // 100 ticks on each of two CPUs: 180 busy, 100 of them ours.
    expect(othersPercent(before, { atMs: 1000, busy: 1180, ours: 600 }, 2)).toBeCloseTo(39, 5);
  });

  test('is nothing where only the rounding differs', () => {
    expect(othersPercent({ atMs: 0, busy: 0, ours: 0 }, { atMs: 100, busy: 12, ours: 10 }, 2)).toBe(0);
    expect(othersPercent({ atMs: 0, busy: 0, ours: 0 }, { atMs: 100, busy: 8, ours: 10 }, 2)).toBe(0);
  });
});

describe('what load generators print', () => {
  test('redis-benchmark --csv', () => {
    const csv = '"test","rps","avg_latency_ms"\n"GET","83333.34","0.299"\n"PING_INLINE","1.0","1"\n';
    expect(redisRate(csv, 'GET')).toBe(83333.34);
    expect(() => redisRate('Could not connect', 'GET')).toThrow('Could not connect');
  });

  test('wrk, whose failed requests make it no measurement', () => {
    expect(wrkRate('  10 requests in 1s\nRequests/sec:   1234.50\nTransfer/sec: 1MB\n')).toBe(1234.5);
    expect(() => wrkRate('Requests/sec:   1234.50\n  Socket errors: connect 0, read 3, write 0, timeout 0\n')).toThrow(
      'Socket errors',
    );
    expect(() => wrkRate('unable to connect')).toThrow('unable to connect');
  });

  test('memaslap: operations a second', () => {
    expect(memaslapRate('object_bytes: 5934464\n\nRun time: 3.0s Ops: 463560 TPS: 154489 Net_rate: 31.1M/s\n')).toBe(
      154_489,
    );
    expect(() => memaslapRate('cmd_get: 417197\n')).toThrow('cmd_get');
  });

  test('pgbench: transactions a second, unless one failed', () => {
    const text = (failed: string) =>
      `number of failed transactions: ${failed}\ntps = 23456.789012 (without initial connection time)\n`;
    expect(pgbenchRate(text('0 (0.000%)'))).toBeCloseTo(23_456.789);
    expect(() => pgbenchRate(text('3 (0.100%)'))).toThrow('number of failed transactions: 3 (0.100%)');
    expect(() => pgbenchRate('connection to server failed')).toThrow('connection to server failed');
  });
});
