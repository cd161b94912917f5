import { expect, test } from 'vitest';
import { listenOverflow } from '../../../../src/checks/tcp/listen-overflow.js';
import { judgeOne } from '../../../support/judge.js';
import { listenerOf, processOf } from '../../../support/snapshot.js';

const counters = (value: number) => ({ counters: { TcpExtListenOverflows: value } });

test('names the listener whose own drops grew', () => {
  const [result, ...others] = judgeOne(listenOverflow, {
    first: {
      net: counters(5),
      sockets: { listeners: [listenerOf({ drops: 2 }), listenerOf({ cookie: '9', local: '0.0.0.0:9', drops: 7 })] },
    },
    last: {
      host: { processes: [processOf()] },
      net: counters(17),
      sockets: {
        listeners: [listenerOf({ drops: 14, queue: 129 }), listenerOf({ cookie: '9', local: '0.0.0.0:9', drops: 7 })],
      },
    },
  });
  expect(others).toEqual([]);
  expect(result).toMatchObject({
    status: 'fail',
    subject: { pid: 42, comm: 'server', fd: 3, listener: '0.0.0.0:8080' },
    summary: '0.0.0.0:8080 (server, pid 42) turned 12 connection attempts away: queue 129 of 128',
  });
  expect(result?.evidence).toContainEqual({
    source: '/proc/net/netstat',
    key: 'TcpExtListenOverflows',
    value: 12,
    unit: '1',
    scope: 'window',
  });
});

test('old overflows are info, none is a pass, one reading is not enough', () => {
  expect(judgeOne(listenOverflow, { first: { net: counters(5) }, last: { net: counters(5) } })[0]?.status).toBe('info');
  expect(judgeOne(listenOverflow, { first: { net: counters(0) }, last: { net: counters(0) } })[0]?.status).toBe('pass');
  expect(judgeOne(listenOverflow, { last: { net: counters(5) } })[0]?.status).toBe('not-applicable');
  expect(judgeOne(listenOverflow, {})[0]?.status).toBe('unknown');
});
