import { expect, test } from 'vitest';
import { ipLevel } from '../../../../src/checks/net/ip-level.js';
import type { NetnsFacts } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { linkOf } from '../../../support/snapshot.js';

const zero = {
  IpReasmFails: 0,
  IpReasmOKs: 0,
  IpOutNoRoutes: 0,
  IpExtInNoRoutes: 0,
  Ip6OutNoRoutes: 0,
  TcpExtIPReversePathFilter: 0,
};
const judged = (last: Record<string, number>, net: Partial<NetnsFacts> = {}) =>
  judgeOne(ipLevel, { net, first: { net: { counters: zero } }, last: { net: { counters: { ...zero, ...last } } } });
const v6 = { interface: 'eth0', family: 'inet6' as const, address: '2001:db8::1', prefixLength: 64, scope: 'global' };
const v4 = { ...v6, family: 'inet' as const, address: '10.0.0.1', prefixLength: 24 };

test('failed reassemblies need a number and a share to fail', () => {
  expect(judged({ IpReasmFails: 12 })[0]?.status).toBe('fail');
  expect(judged({ IpReasmFails: 12, IpReasmOKs: 5000 })[0]?.status).toBe('warn');
  expect(judged({ IpReasmFails: 2 })[0]).toMatchObject({
    status: 'warn',
    summary: '2 times within the window: IPv4 reassemblies failed: a fragment was lost, late or refused',
  });
});

test('missing routes warn, but not for IPv6 on a host that has none', () => {
  expect(judged({ IpOutNoRoutes: 3, IpExtInNoRoutes: 1 }).map((r) => r.status)).toEqual(['warn', 'warn']);
  expect(judged({ Ip6OutNoRoutes: 3 })[0]?.status).toBe('info');
  expect(judged({ Ip6OutNoRoutes: 3 }, { addresses: [v6] })[0]?.status).toBe('warn');
});

test('the reverse-path filter does its job on a host with one interface', () => {
  const one = { links: [linkOf({ name: 'eth0' })], addresses: [v4] };
  const two = { links: [...one.links, linkOf({ name: 'eth1' })], addresses: [v4, { ...v4, interface: 'eth1' }] };
  expect(judged({ TcpExtIPReversePathFilter: 3 }, one)[0]?.status).toBe('info');
  expect(judged({ TcpExtIPReversePathFilter: 3 }, two)[0]?.status).toBe('warn');
});

test('quiet, old, one reading, none', () => {
  expect(judged({})[0]?.status).toBe('pass');
  const old = { net: { counters: { ...zero, IpOutNoRoutes: 5 } } };
  expect(judgeOne(ipLevel, { first: old, last: old })[0]?.status).toBe('info');
  expect(judgeOne(ipLevel, { last: old })[0]?.status).toBe('not-applicable');
  expect(judgeOne(ipLevel, {})[0]?.status).toBe('unknown');
});
