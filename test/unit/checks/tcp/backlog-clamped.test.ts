import { expect, test } from 'vitest';
import { backlogClamped } from '../../../../src/checks/tcp/backlog-clamped.js';
import type { Listener } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { listenerOf } from '../../../support/snapshot.js';

const over = (before: Partial<Listener>, after: Partial<Listener>, sysctls = { 'net.core.somaxconn': '128' }) =>
  judgeOne(backlogClamped, {
    net: { sysctls },
    first: { sockets: { listeners: [listenerOf(before), listenerOf({ cookie: '7', backlog: 100 })] } },
    last: { sockets: { listeners: [listenerOf(after), listenerOf({ cookie: '7', backlog: 100 })] } },
  });

test('at the cap without trouble is info, with drops or depth a warning that raises somaxconn', () => {
  expect(over({}, {})).toMatchObject([
    { status: 'info', subject: { listener: '0.0.0.0:8080', key: 'net.core.somaxconn' } },
  ]);
  expect(over({}, { drops: 4, queue: 129 })).toMatchObject([
    {
      status: 'warn',
      subject: { pid: 42, listener: '0.0.0.0:8080' },
      remedy: {
        commands: ['sysctl -w net.core.somaxconn=4096'],
        tunes: [{ key: 'net.core.somaxconn', from: '128', to: '4096' }],
        undo: 'sysctl -w net.core.somaxconn=128',
      },
    },
  ]);
  expect(over({ queue: 110 }, {})[0]?.status).toBe('warn');
});

test('below the cap passes; the largest cap is not raised; missing data is unknown', () => {
  expect(over({}, {}, { 'net.core.somaxconn': '4096' })[0]?.status).toBe('pass');
  const largest = judgeOne(backlogClamped, {
    net: { sysctls: { 'net.core.somaxconn': '65535' } },
    last: { sockets: { listeners: [listenerOf({ backlog: 65_535, queue: 65_000 })] } },
  })[0];
  expect(largest).toMatchObject({ status: 'warn', remedy: { tunes: [] } });
  expect(judgeOne(backlogClamped, {})[0]?.status).toBe('unknown');
});
