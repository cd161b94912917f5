import { expect, test } from 'vitest';
import { mptcp } from '../../../../src/checks/net/mptcp.js';
import { judgeOne } from '../../../support/judge.js';
import { linkOf, routeOf } from '../../../support/snapshot.js';

const judged = (first: Record<string, number>, last: Record<string, number>, enabled = '1') =>
  judgeOne(mptcp, {
    net: { sysctls: { 'net.mptcp.enabled': enabled } },
    first: { net: { counters: first } },
    last: { net: { counters: last } },
  })[0];
const used = { MPTcpExtMPCapableSYNTX: 5, MPTcpExtMPCapableSYNRX: 5 };

test('a fallback caused on the path is a warning, a peer without MPTCP is not', () => {
  expect(judged({ ...used, MPTcpExtBlackhole: 0 }, { ...used, MPTcpExtBlackhole: 2 })).toMatchObject({
    status: 'warn',
    summary: '2 times within the window: a path that swallows MPTCP: it was turned off for a time',
  });
  const without = { ...used, MPTcpExtMPCapableFallbackSYNACK: 0 };
  expect(judged(without, { ...without, MPTcpExtMPCapableFallbackSYNACK: 4 })?.status).toBe('info');
});

test('unused, quiet and old', () => {
  expect(judged({}, {})?.status).toBe('not-applicable');
  expect(judged(used, used)?.status).toBe('pass');
  const old = { ...used, MPTcpExtMPCapableFallbackACK: 3 };
  expect(judged(old, old)?.status).toBe('info');
  expect(judgeOne(mptcp, {})[0]?.status).toBe('not-applicable');
});

test('off is information where there are two uplinks', () => {
  const net = (names: string[]) => ({
    sysctls: { 'net.mptcp.enabled': '0' },
    links: names.map((name) => linkOf({ name })),
    routes: names.map((name) => routeOf({ interface: name, gateway: '10.0.0.254' })),
  });
  expect(judgeOne(mptcp, { net: net(['eth0', 'eth1']) })[0]).toMatchObject({
    status: 'info',
    subject: { key: 'net.mptcp.enabled' },
  });
  expect(judgeOne(mptcp, { net: net(['eth0']) })[0]?.status).toBe('pass');
});
