import { expect, test } from 'vitest';
import { minFree } from '../../../../src/checks/host/min-free.js';
import { swap } from '../../../../src/checks/host/swap.js';
import { judgeOne } from '../../../support/judge.js';

const memory = { SwapTotal: 2 ** 30, SwapFree: 2 ** 29 };
const swapped = (pages: number, swappiness = '60') =>
  judgeOne(swap, {
    host: { sysctls: { 'vm.swappiness': swappiness } },
    first: { host: { memory, vmstat: { pswpin: 100, pswpout: 5 } } },
    last: { host: { memory, vmstat: { pswpin: 100 + pages, pswpout: 5 } } },
  })[0];

test('swap: pages read back within the window warn, a few are info, none passes', () => {
  expect(swapped(500)).toMatchObject({
    status: 'warn',
    summary: '500 pages were swapped in within the window (500 a second); 512 MiB of swap in use',
    remedy: { tunes: [{ key: 'vm.swappiness', from: '60', to: '10' }], undo: 'sysctl -w vm.swappiness=60' },
  });
  expect(swapped(500)?.evidence).toContainEqual({
    ...{ source: '/proc/vmstat', key: 'pswpin', value: 500, unit: 'pages', scope: 'window' },
  });
  expect(swapped(3)?.status).toBe('info');
  expect(swapped(0)?.status).toBe('pass');
});

test('swap: a low swappiness is left alone', () => {
  expect(swapped(500, '10')?.remedy?.tunes).toEqual([]);
  expect(swapped(500, '1')?.remedy?.tunes).toEqual([]);
});

test('swap: no swap, one reading, no counter', () => {
  expect(judgeOne(swap, { last: { host: { memory: { SwapTotal: 0 } } } })[0]?.status).toBe('not-applicable');
  expect(judgeOne(swap, { last: { host: { memory, vmstat: { pswpin: 1 } } } })[0]?.status).toBe('not-applicable');
  expect(judgeOne(swap, { first: {}, last: { host: { memory } } })[0]?.status).toBe('unknown');
});

const failure = (atMs: number) => ({
  atMs,
  text: 'swapper/0: page allocation failure: order:0, mode:0x480020(GFP_ATOMIC), nodemask=(null)',
});

const logged = (entries: { atMs: number; text: string }[] | undefined, minFreeKbytes = '67584', stalls = 0) =>
  judgeOne(minFree, {
    host: { sysctls: { 'vm.min_free_kbytes': minFreeKbytes }, memoryBytes: 16 * 2 ** 30 },
    first: { host: { vmstat: { allocstall_normal: 4 } } },
    last: { host: { vmstat: { allocstall_normal: 4 + stalls } } },
    snapshot: { observed: entries ? { kernelLog: entries } : {} },
  })[0];

test('min-free: a failure within the window fails, an older one warns, and the next step is 1 % of memory', () => {
  expect(logged([failure(50), failure(100_400)])).toMatchObject({
    status: 'fail',
    summary: '2 page allocation failures were logged since boot, 1 within the window',
    remedy: {
      tunes: [{ key: 'vm.min_free_kbytes', from: '67584', to: '167772' }],
      undo: 'sysctl -w vm.min_free_kbytes=67584',
    },
  });
  expect(logged([failure(50)])?.status).toBe('warn');
});

test('min-free: raises only, and not beyond 3 %', () => {
  expect(logged([failure(50)], '200000')?.remedy?.tunes[0]?.to).toBe('335544');
  expect(logged([failure(50)], '600000')?.remedy?.tunes).toEqual([]);
});

test('min-free: other failures, direct reclaim, a quiet log, no log', () => {
  const other = { atMs: 9, text: 'stress: page allocation failure: order:7, mode:0x40cc0(GFP_KERNEL|__GFP_COMP)' };
  expect(logged([other])?.status).toBe('pass');
  expect(logged([], '67584', 12)?.status).toBe('info');
  expect(logged([])?.status).toBe('pass');
  expect(logged(undefined)?.status).toBe('unknown');
});
