import { expect, test } from 'vitest';
import { softnetDropped } from '../../../../src/checks/nic/softnet-dropped.js';
import { softnetSkew } from '../../../../src/checks/nic/softnet-skew.js';
import { softnetSqueezed } from '../../../../src/checks/nic/softnet-squeezed.js';
import { judgeOne } from '../../../support/judge.js';
import { cpuTimes, softnetOf } from '../../../support/links.js';

const sysctls = {
  'net.core.netdev_max_backlog': '1000',
  'net.core.netdev_budget': '300',
  'net.core.netdev_budget_usecs': '8000',
};

test('softnet-dropped names the CPU of column 13, not the line', () => {
  const results = judgeOne(softnetDropped, {
    net: { sysctls },
    first: { host: { softnet: [softnetOf(0, 100), softnetOf(5, 100, { dropped: 2 })] } },
    last: { host: { softnet: [softnetOf(0, 300), softnetOf(5, 900, { dropped: 42 })] } },
  });
  expect(results).toHaveLength(1);
  expect(results[0]).toMatchObject({
    status: 'fail',
    subject: { cpu: 5 },
    summary: 'CPU 5 dropped 40 packets at its input queue within 1.0 s',
    remedy: {
      commands: ['sysctl -w net.core.netdev_max_backlog=2000'],
      undo: 'sysctl -w net.core.netdev_max_backlog=1000',
    },
  });
  expect(results[0]?.evidence).toContainEqual({
    source: '/proc/net/softnet_stat',
    key: 'dropped',
    value: 42,
    unit: 'packets',
    scope: 'total',
    subject: { cpu: 5 },
  });
});

test('softnet-dropped never lowers a backlog, and leaves the flow limit to do its work', () => {
  const drop = (backlog: string, flowLimit: number) =>
    judgeOne(softnetDropped, {
      net: { sysctls: { 'net.core.netdev_max_backlog': backlog } },
      first: { host: { softnet: [softnetOf(1, 0, { flowLimit: 0 })] } },
      last: { host: { softnet: [softnetOf(1, 900, { dropped: 7, flowLimit })] } },
    })[0];
  expect(drop('250000', 0)?.remedy?.tunes).toEqual([
    { key: 'net.core.netdev_max_backlog', from: '250000', to: '500000' },
  ]);
  expect(drop('1000', 7)?.remedy?.commands).toEqual([]);
  expect(drop('1000', 7)?.summary).toContain('by the flow limit');
});

test('softnet-dropped: since boot is info, none a pass, missing unknown', () => {
  const at = (dropped: number) => ({ host: { softnet: [softnetOf(0, 10, { dropped })] } });
  expect(judgeOne(softnetDropped, { first: at(3), last: at(3) })[0]?.status).toBe('info');
  expect(judgeOne(softnetDropped, { first: at(0), last: at(0) })[0]?.status).toBe('pass');
  expect(judgeOne(softnetDropped, { last: at(3) })[0]?.status).toBe('not-applicable');
  expect(judgeOne(softnetDropped, { first: {}, last: {} })[0]?.status).toBe('unknown');
});

test('softnet-squeezed warns when it is sustained only', () => {
  const squeeze = (count: number, windowMs = 1000) =>
    judgeOne(softnetSqueezed, {
      windowMs,
      net: { sysctls },
      first: { host: { softnet: [softnetOf(0, 0), softnetOf(1, 0, { squeezed: 500 })] } },
      last: { host: { softnet: [softnetOf(0, 9), softnetOf(1, 9, { squeezed: 500 + count })] } },
    });
  expect(squeeze(120)).toMatchObject([
    {
      status: 'warn',
      subject: { cpu: 1 },
      summary: 'CPU 1 ran out of its receive budget 120 times a second',
      remedy: { commands: ['sysctl -w net.core.netdev_budget=600', 'sysctl -w net.core.netdev_budget_usecs=16000'] },
    },
  ]);
  expect(squeeze(10)[0]?.status).toBe('pass');
  expect(squeeze(10, 100)[0]?.status).toBe('pass'); // a hundred a second, but only ten
  expect(squeeze(100, 10_000)[0]?.status).toBe('pass');
  expect(judgeOne(softnetSqueezed, { last: { host: { softnet: [softnetOf(0, 1)] } } })[0]?.status).toBe(
    'not-applicable',
  );
});

const skew = (packets: number[], softirq: number[]) =>
  judgeOne(softnetSkew, {
    first: {
      host: {
        softnet: packets.map((_, cpu) => softnetOf(cpu, 1000)),
        cpus: packets.map((_, cpu) => cpuTimes(cpu, 0)),
      },
    },
    last: {
      host: {
        softnet: packets.map((count, cpu) => softnetOf(cpu, 1000 + count)),
        cpus: packets.map((_, cpu) => cpuTimes(cpu, softirq[cpu] ?? 0, 0, 100 - (softirq[cpu] ?? 0))),
      },
    },
  })[0];

test('softnet-skew: a hot CPU that does it all is a warning, a cool one info', () => {
  expect(skew([1000, 90_000, 500, 0], [1, 85, 0, 0])).toMatchObject({
    status: 'warn',
    subject: { cpu: 1 },
    summary: 'CPU 1 processes 98 % of 91500 packets a second and spends 85 % of its time in interrupts',
  });
  expect(skew([1000, 90_000], [1, 20])?.status).toBe('info');
});

test('softnet-skew passes an even spread, a quiet host and a single CPU', () => {
  expect(skew([50_000, 40_000], [70, 70])?.status).toBe('pass');
  expect(skew([10, 9000], [0, 80])?.status).toBe('pass');
  expect(skew([90_000], [90])?.status).toBe('not-applicable');
});
