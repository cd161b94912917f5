import { expect, test } from 'vitest';
import { mtuProbing } from '../../../../src/checks/tcp/mtu-probing.js';
import type { Connection, Link } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf, linkOf } from '../../../support/snapshot.js';

const KEY = 'net.ipv4.tcp_mtu_probing';
const over = (connection: Partial<Connection>, link: Partial<Link> = {}, value = '0') =>
  judgeOne(mtuProbing, {
    net: { sysctls: { [KEY]: value }, links: [linkOf(link)] },
    last: { sockets: { connections: [connectionOf(connection)] } },
  })[0];
const swallowed: Partial<Connection> = {
  backoff: 3,
  mssBytes: 8948,
  pmtuBytes: 9000,
  bytesAcked: 120,
  bytesSent: 60_000,
  bytesRetransmitted: 27_000,
};

test('no full segment ever acknowledged, and timeouts: a black hole', () => {
  expect(over(swallowed)).toMatchObject({
    status: 'warn',
    subject: { pid: 42, connection: '10.0.0.1:8080 -> 10.0.0.2:40000' },
    remedy: { commands: [`sysctl -w ${KEY}=1`], undo: `sysctl -w ${KEY}=0` },
  });
});

test('a peer that went away later, small segments, or probing on is none', () => {
  expect(over({ ...swallowed, bytesAcked: 1e6 })?.status).toBe('pass');
  expect(over({ ...swallowed, backoff: 1 })?.status).toBe('pass');
  expect(over({ ...swallowed, bytesSent: 500, bytesRetransmitted: 0 })?.status).toBe('pass');
  expect(over({ ...swallowed, pmtuBytes: 1280 })?.status).toBe('pass');
  expect(over({ ...swallowed, state: 'syn-sent' })?.status).toBe('pass');
  expect(over(swallowed, {}, '1')?.status).toBe('pass');
});

test('jumbo frames on a wire are info; on loopback or inside the host they are nothing', () => {
  expect(over({}, { mtu: 9000 })).toMatchObject({ status: 'info', subject: { interface: 'eth0', key: KEY } });
  expect(over({}, { mtu: 9000, kind: 'vlan' })?.status).toBe('info');
  expect(over({}, { mtu: 65_536, type: 'loopback', name: 'lo' })?.status).toBe('pass');
  expect(over({}, { mtu: 9000, kind: 'veth' })?.status).toBe('pass');
  expect(over({}, { mtu: 9000, up: false })?.status).toBe('pass');
  expect(judgeOne(mtuProbing, {})[0]?.status).toBe('unknown');
});
