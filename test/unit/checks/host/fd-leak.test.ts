import { expect, test } from 'vitest';
import { fdLeak } from '../../../../src/checks/host/fd-leak.js';
import type { Process } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { listenerOf, processOf } from '../../../support/snapshot.js';

const holding = (open: number, tcp: Process['tcp'] = {}) =>
  processOf({ tcp, descriptors: { open, sockets: open - 3, highest: open - 1, softLimit: 1024 } });

const run = (before: Process, after: Process, windowMs = 30_000) =>
  judgeOne(fdLeak, { windowMs, first: { host: { processes: [before] } }, last: { host: { processes: [after] } } });

test('warns about descriptors that grow without live connections, and says when they run out', () => {
  const [result, ...others] = run(holding(100), holding(160, { 'close-wait': 60 }));
  expect(others).toEqual([]);
  expect(result).toMatchObject({
    status: 'warn',
    subject: { pid: 42, comm: 'server' },
    summary:
      'server (pid 42) gained 60 descriptors in 30 s (100 to 160, 60 % beyond its live connections); at this rate it reaches its limit of 1024 in 7 min',
  });
  expect(result?.evidence).toContainEqual({
    source: '/proc/42/fd',
    key: 'open',
    value: 60,
    unit: '1',
    scope: 'window',
  });
  expect(result?.evidence).toContainEqual({
    source: 'sock_diag',
    key: 'close-wait',
    value: 60,
    unit: 'connections',
    scope: 'window',
  });
});

test('load is not a leak: descriptors of live connections, and a few', () => {
  expect(run(holding(100), holding(160, { established: 55 }))[0]?.status).toBe('pass');
  expect(run(holding(100), holding(115))[0]?.status).toBe('pass');
  expect(run(holding(160), holding(100))[0]?.status).toBe('pass');
});

test('slow growth far from the limit is info', () => {
  const far = (open: number) => ({
    ...holding(open),
    descriptors: { open, sockets: 0, highest: open - 1, softLimit: 1_000_000 },
  });
  expect(run(far(10_000), far(10_025))[0]?.status).toBe('info');
});

test('a short window judges no growth', () => {
  expect(run(holding(100), holding(160), 1000)[0]?.status).toBe('not-applicable');
  expect(judgeOne(fdLeak, {})[0]?.status).toBe('not-applicable');
});

const parent = processOf({ children: 1, descriptors: { open: 5, sockets: 2, highest: 4, socketsInheritable: 2 } });

test('sockets that a started program inherits are info, and the heir is named', () => {
  const [result] = judgeOne(fdLeak, {
    last: {
      host: { processes: [parent, processOf({ pid: 50, ppid: 42, comm: 'sleep' })] },
      sockets: {
        listeners: [
          listenerOf({
            owners: [
              { pid: 42, comm: 'server', fd: 3 },
              { pid: 50, comm: 'sleep', fd: 3 },
            ],
          }),
        ],
      },
    },
  });
  expect(result).toMatchObject({ status: 'info', subject: { pid: 42 } });
  expect(result?.summary).toContain('sleep (pid 50) holds its listener 0.0.0.0:8080');
});

test('a pool of forked workers shares its sockets on purpose', () => {
  const [result] = judgeOne(fdLeak, { last: { host: { processes: [parent, processOf({ pid: 50, ppid: 42 })] } } });
  expect(result?.status).toBe('not-applicable');
});
