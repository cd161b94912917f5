import { expect, test } from 'vitest';
import { fdSelect } from '../../../../src/checks/host/fd-select.js';
import { judgeOne } from '../../../support/judge.js';
import { processOf } from '../../../support/snapshot.js';

const run = (nfds: number | undefined, highest: number) =>
  judgeOne(fdSelect, {
    last: { host: { processes: [processOf({ descriptors: { open: 900, sockets: 800, highest } })] } },
    snapshot: {
      observed: { selects: nfds === undefined ? [] : [{ pid: 42, tid: 43, comm: 'loop', nfds, samples: 3 }] },
    },
  })[0];

test('beyond 1024 fails, near high descriptors warns', () => {
  expect(run(1301, 1300)).toMatchObject({ status: 'fail', subject: { pid: 42, tid: 43 } });
  expect(run(1301, 1300)?.evidence[0]).toEqual({
    ...{ source: '/proc/42/task/43/syscall', key: 'nfds', value: 1301, unit: '1', scope: 'window' },
    subject: { pid: 42, tid: 43, comm: 'loop' },
  });
  expect(run(8, 1300)?.status).toBe('warn');
});

test('low descriptors, a sleep by select, nobody in select', () => {
  expect(run(900, 899)?.status).toBe('pass');
  expect(run(1024, 1023)?.status).toBe('pass');
  expect(run(0, 1300)?.status).toBe('pass');
  expect(run(undefined, 1300)?.status).toBe('pass');
});

test('without samples it is unknown', () => {
  expect(judgeOne(fdSelect, {})[0]?.status).toBe('unknown');
});
