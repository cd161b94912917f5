import { expect, test } from 'vitest';
import { numaBalancing } from '../../../../src/checks/host/numa-balancing.js';
import type { Profile } from '../../../../src/model/results.js';
import type { Process } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { processOf } from '../../../support/snapshot.js';

interface Case {
  value?: string;
  process?: Partial<Process>;
  nodes?: number;
  faults?: number;
  profile?: Profile;
}

function run({ value = '1', process = {}, nodes = 2, faults = 0, profile = 'general' }: Case) {
  return judgeOne(
    numaBalancing,
    {
      host: {
        numaNodes: nodes,
        cpus: [0, 1, 2, 3].map((cpu) => ({ cpu, node: cpu < 2 ? 0 : 1 })),
        sysctls: value === '' ? {} : { 'kernel.numa_balancing': value },
      },
      first: { host: { vmstat: { numa_hint_faults: 100 } } },
      last: {
        host: {
          vmstat: { numa_hint_faults: 100 + faults },
          processes: [processOf({ tcp: { listen: 1 }, ...process })],
        },
      },
    },
    profile,
  )[0];
}

const bound = { cpusAllowed: '2-3' };

test('a bound server with balancing on is info, with a symptom or the latency profile a warning', () => {
  expect(run({ process: bound })).toMatchObject({ status: 'info', subject: { pid: 42, key: 'kernel.numa_balancing' } });
  expect(run({ process: bound, faults: 40 })?.status).toBe('warn');
  expect(run({ process: bound, profile: 'latency' })).toMatchObject({
    status: 'warn',
    remedy: {
      tunes: [{ key: 'kernel.numa_balancing', from: '1', to: '0' }],
      undo: 'sysctl -w kernel.numa_balancing=1',
    },
  });
});

test('memory tiering is kept when balancing goes', () => {
  expect(run({ value: '3', process: bound, faults: 1 })?.remedy?.tunes[0]?.to).toBe('2');
  expect(run({ value: '2', process: bound, faults: 1 })?.status).toBe('pass');
});

test('nobody bound, balancing off, one node, nothing known', () => {
  expect(run({ process: { cpusAllowed: '0-3' } })?.status).toBe('pass');
  expect(run({ process: {} })?.status).toBe('pass');
  expect(run({ value: '0', process: bound })?.status).toBe('pass');
  expect(run({ nodes: 1, process: bound })?.status).toBe('not-applicable');
  expect(run({ value: '' })?.status).toBe('unknown');
});
