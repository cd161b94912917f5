import { expect, test } from 'vitest';
import { keepalive } from '../../../../src/checks/net/keepalive.js';
import type { Connection } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf } from '../../../support/snapshot.js';

const silent = (parts: Partial<Connection>): Connection =>
  connectionOf({
    remote: '203.0.113.9:443',
    lastDataSentMs: 900_000,
    lastDataReceivedMs: 901_000,
    options: { keepAlive: true, keepIdleS: 7200 },
    ...parts,
  });
const judged = (connection: Connection) =>
  judgeOne(keepalive, {
    net: {
      sysctls: { 'net.ipv4.tcp_keepalive_time': '7200' },
      addresses: [{ interface: 'eth0', family: 'inet', address: '10.0.0.1', prefixLength: 24, scope: 'global' }],
    },
    last: { sockets: { connections: [connection] } },
  })[0];

test('a silent connection beyond a gateway that is probed too late is information', () => {
  expect(judged(silent({}))).toMatchObject({
    status: 'info',
    subject: { connection: '10.0.0.1:8080 -> 203.0.113.9:443' },
    remedy: { tunes: [{ key: 'net.ipv4.tcp_keepalive_time', from: '7200', to: '300' }] },
  });
  const never = judged(silent({ options: { keepAlive: false } }));
  expect(never?.status).toBe('info');
  expect(never?.summary).toContain('does not use SO_KEEPALIVE');
});

test('probed in time, busy or on the own network: nothing to say; unreadable options are unknown', () => {
  expect(judged(silent({ options: { keepAlive: true, keepIdleS: 60 } }))?.status).toBe('pass');
  expect(judged(silent({ lastDataSentMs: 1000 }))?.status).toBe('pass');
  expect(judged(silent({ remote: '10.0.0.77:443' }))?.status).toBe('pass');
  expect(judged(silent({ options: {} }))?.status).toBe('unknown');
  expect(judgeOne(keepalive, {})[0]?.status).toBe('unknown');
});
