import { expect, test } from 'vitest';
import { epollWatches } from '../../../../src/checks/host/epoll-watches.js';
import { fileMax } from '../../../../src/checks/host/file-max.js';
import { nrOpen } from '../../../../src/checks/host/nr-open.js';
import type { DescriptorUse } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { processOf } from '../../../support/snapshot.js';

const underCeiling = (use: Partial<DescriptorUse>, ceiling = '1000') =>
  judgeOne(nrOpen, {
    host: { sysctls: { 'fs.nr_open': ceiling } },
    last: {
      host: {
        processes: [
          processOf({
            descriptors: {
              open: 10,
              sockets: 0,
              highest: (use.open ?? 10) - 1,
              softLimit: 500,
              hardLimit: 1000,
              ...use,
            },
          }),
        ],
      },
    },
  })[0];

test('nr-open: a process near the ceiling warns, a limit above it is info', () => {
  expect(underCeiling({ open: 850, softLimit: 1000 })).toMatchObject({
    status: 'warn',
    subject: { pid: 42, key: 'fs.nr_open' },
    remedy: { tunes: [{ key: 'fs.nr_open', from: '1000', to: '2048' }], undo: 'sysctl -w fs.nr_open=1000' },
  });
  expect(underCeiling({ softLimit: 5000, hardLimit: 5000 })).toMatchObject({
    status: 'info',
    remedy: { tunes: [{ to: '8192' }] },
  });
  expect(underCeiling({ open: 400 })?.status).toBe('pass');
  expect(judgeOne(nrOpen, {})[0]?.status).toBe('unknown');
});

const allocated = (share: number) =>
  judgeOne(fileMax, { last: { host: { files: { allocated: share * 1000, max: 1000 } } } })[0];

test('file-max: 90 % warns, 95 % fails', () => {
  expect(allocated(0.5)?.status).toBe('pass');
  expect(allocated(0.92)).toMatchObject({
    status: 'warn',
    summary: '920 of 1000 file handles are allocated (92 %)',
    remedy: { tunes: [{ key: 'fs.file-max', from: '1000', to: '2048' }] },
  });
  expect(allocated(0.95)?.status).toBe('fail');
  expect(judgeOne(fileMax, {})[0]?.status).toBe('unknown');
});

const watched = (watches: Record<string, number>) =>
  judgeOne(epollWatches, {
    host: { sysctls: { 'fs.epoll.max_user_watches': '1000' } },
    last: { host: { epollWatches: watches } },
  });

test('epoll-watches: judged per user', () => {
  expect(watched({ 0: 100, 33: 850 })).toMatchObject([
    {
      status: 'warn',
      summary: 'uid 33 has 850 of 1000 epoll watches (85 %)',
      subject: { key: 'fs.epoll.max_user_watches' },
    },
  ]);
  expect(watched({ 33: 960 })[0]?.status).toBe('fail');
  expect(watched({ 33: 700, 34: 700 })[0]?.status).toBe('pass');
  expect(judgeOne(epollWatches, { host: { sysctls: { 'fs.epoll.max_user_watches': '1000' } } })[0]?.status).toBe(
    'unknown',
  );
  expect(judgeOne(epollWatches, {})[0]?.status).toBe('unknown');
});
