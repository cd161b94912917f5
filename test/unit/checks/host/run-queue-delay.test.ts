import { expect, test } from 'vitest';
import { runQueueDelay } from '../../../../src/checks/host/run-queue-delay.js';
import type { HostReading, Process, Thread } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { processOf, threadOf } from '../../../support/snapshot.js';

const cpu = (cpu: number, user: number, idle: number) => ({
  ...{ cpu, user, idle, nice: 0, system: 0, iowait: 0, irq: 0, softirq: 0, steal: 0 },
});

interface Case {
  before: Partial<Thread>;
  after: Partial<Thread>;
  process?: Partial<Process>;
  last?: Partial<HostReading>;
  selected?: number[];
}

function run({ before, after, process, last, selected }: Case) {
  const server = processOf({ tcp: { listen: 1 }, ...process });
  return judgeOne(runQueueDelay, {
    first: {
      host: { processes: [server], threads: [threadOf(before)], cpus: [cpu(0, 0, 0), cpu(1, 0, 0)] },
    },
    last: {
      host: { processes: [server], threads: [threadOf(after)], cpus: [cpu(0, 100, 0), cpu(1, 5, 95)], ...last },
    },
    snapshot: { selection: selected ? { pids: selected } : {} },
  });
}

test('names the thread that waited, how long, and where the CPUs were', () => {
  const [result, ...others] = run({
    before: { runMs: 1000, runDelayMs: 500, timeslices: 10 },
    after: { runMs: 1200, runDelayMs: 810, timeslices: 41 },
    process: { cpusAllowed: '0' },
  });
  expect(others).toEqual([]);
  expect(result).toMatchObject({
    status: 'warn',
    subject: { pid: 42, tid: 42, comm: 'server' },
    summary: 'server (pid 42): thread server/42 waited 310 ms of 1000 ms for a CPU (31 %)',
  });
  expect(result?.why).toContain('It may run on CPU 0 only, while CPU 1 was mostly idle.');
  expect(result?.evidence).toContainEqual({
    ...{ source: '/proc/42/task/42/schedstat', key: 'run_delay', value: 310, unit: 'ms', scope: 'window' },
    subject: { pid: 42, tid: 42, comm: 'server' },
  });
  expect(result?.evidence.find((e) => e.key === 'run_delay_per_timeslice')?.value).toBe(10);
});

test('says when the process waits for itself, and when its quota is the reason', () => {
  const own = run({ before: { runMs: 0, runDelayMs: 0 }, after: { runMs: 1900, runDelayMs: 300 } });
  expect(own[0]?.why).toContain('it waits for itself');
  const group = { path: '/a.slice', version: 2 as const, pids: [42] };
  const quota = judgeOne(runQueueDelay, {
    first: {
      host: {
        processes: [processOf({ tcp: { listen: 1 } })],
        threads: [threadOf({ runMs: 0, runDelayMs: 0 })],
        cgroups: [{ ...group, throttled: 3 }],
      },
    },
    last: {
      host: {
        processes: [processOf({ tcp: { listen: 1 }, cgroup: '/a.slice' })],
        threads: [threadOf({ runMs: 50, runDelayMs: 300 })],
        cgroups: [{ ...group, throttled: 9 }],
      },
    },
  });
  expect(quota[0]?.why).toContain('/a.slice ran out of CPU quota 6 times');
});

test('passes a little delay, a thread that hardly ran, and a delay of a slice or two', () => {
  const passes = (after: Partial<Thread>) => run({ before: { runMs: 0, runDelayMs: 0 }, after })[0]?.status;
  expect(passes({ runMs: 200, runDelayMs: 49 })).toBe('pass');
  expect(passes({ runMs: 0.5, runDelayMs: 80 })).toBe('pass');
});

test('a client is not judged unless it was asked for', () => {
  const parts = {
    before: { runMs: 0, runDelayMs: 0 },
    after: { runMs: 200, runDelayMs: 400 },
    process: { tcp: { established: 3 } },
  };
  expect(run(parts)[0]?.status).toBe('not-applicable');
  expect(run({ ...parts, selected: [42] })[0]?.status).toBe('warn');
});

test('without schedstat it is unknown, with one reading not applicable, and unseen processes are said', () => {
  expect(run({ before: {}, after: {} })[0]?.status).toBe('unknown');
  expect(judgeOne(runQueueDelay, {})[0]?.status).toBe('not-applicable');
  const blind = judgeOne(runQueueDelay, { first: {}, last: { net: { sockets: undefined as never } } });
  expect(blind[0]?.status).toBe('unknown');
  const [hidden] = judgeOne(runQueueDelay, {
    first: {},
    snapshot: {
      gaps: [
        {
          probe: 'sockets',
          what: "descriptors of other users' processes",
          reason: 'Permission denied',
          needs: 'CAP_SYS_PTRACE',
          count: 7,
        },
      ],
    },
  });
  expect(hidden).toMatchObject({ status: 'unknown', evidence: [{ value: 7 }] });
  expect(hidden?.summary).toContain('CAP_SYS_PTRACE');
});
