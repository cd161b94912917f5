import { expect, test } from 'vitest';
import { fdLimit } from '../../../../src/checks/host/fd-limit.js';
import type { DescriptorUse, Process } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { processOf } from '../../../support/snapshot.js';

const run = (use: Partial<DescriptorUse>, process: Partial<Process> = {}) =>
  judgeOne(fdLimit, {
    host: { sysctls: { 'fs.nr_open': '1048576' } },
    last: {
      host: {
        processes: [
          processOf({
            descriptors: {
              open: 10,
              sockets: 5,
              highest: (use.open ?? 10) - 1,
              softLimit: 1024,
              hardLimit: 4096,
              ...use,
            },
            ...process,
          }),
        ],
      },
    },
  })[0];

test('above 80 % warns and from 95 % fails, with the way to raise it and back', () => {
  expect(run({ open: 922 })).toMatchObject({
    status: 'warn',
    subject: { pid: 42, comm: 'server' },
    summary: 'server (pid 42) has 922 of 1024 descriptors open (90 %), 5 of them sockets',
    remedy: {
      commands: ['prlimit --pid 42 --nofile=4096:'],
      undo: 'prlimit --pid 42 --nofile=1024:',
    },
  });
  expect(run({ open: 973 })?.status).toBe('fail');
  expect(run({ open: 819 })?.status).toBe('pass');
});

test('a hard limit without room is raised as well', () => {
  const result = run({ open: 1000, hardLimit: 1024 });
  expect(result?.remedy?.commands[0]).toBe('prlimit --pid 42 --nofile=65536:65536');
  expect(result?.remedy?.undo).toBe('prlimit --pid 42 --nofile=1024:1024');
});

test('within the hard limit only the soft one moves, and the unit is named', () => {
  const result = run({ open: 1000, hardLimit: 524_288 }, { cgroup: '/system.slice/nginx.service' });
  expect(result?.remedy?.commands[0]).toBe('prlimit --pid 42 --nofile=65536:');
  expect(result?.remedy?.commands[1]).toContain('/etc/systemd/system/nginx.service.d/50-nofile.conf');
  expect(result?.remedy?.undo).toContain('prlimit --pid 42 --nofile=1024: ; rm /etc/systemd');
});

test('descriptors left above a lowered limit do not count against it', () => {
  // 476 numbers from 1024 to 1499 may be among the 1000: 524 are surely below the limit
  expect(run({ open: 1000, highest: 1499 })?.status).toBe('pass');
});

test('never recommends less than there is', () => {
  expect(run({ open: 900_000, softLimit: 1_000_000, hardLimit: 1_000_000 })?.remedy?.commands[0]).toBe(
    'prlimit --pid 42 --nofile=1048576:1048576',
  );
  expect(run({ open: 1_000_000, softLimit: 1_048_576, hardLimit: 1_048_576 })?.remedy?.summary).toContain('fs.nr_open');
});

test('a sandbox with a tiny limit, nobody to judge, nothing readable', () => {
  expect(run({ open: 6, softLimit: 1, hardLimit: 1 })?.status).toBe('unknown');
  expect(judgeOne(fdLimit, {})[0]?.status).toBe('not-applicable');
  expect(judgeOne(fdLimit, { last: { host: { processes: [processOf()] } } })[0]?.status).toBe('unknown');
});
