import { expect, test } from 'vitest';
import { multihoming } from '../../../../src/checks/net/multihoming.js';
import type { Link } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { linkOf, routeOf } from '../../../support/snapshot.js';

const bond = (up: boolean[]): Link =>
  linkOf({
    name: 'bond0',
    kind: 'bond',
    bond: { mode: 'active-backup', members: up.map((state, i) => ({ name: `eth${i}`, up: state })) },
  });
const twoUplinks = (filter: string) => ({
  links: [linkOf({ name: 'eth0' }), linkOf({ name: 'eth1' })],
  routes: ['eth0', 'eth1'].map((name) => routeOf({ interface: name, gateway: '10.0.0.254' })),
  sysctls: {
    'net.ipv4.conf.all.rp_filter': '0',
    'net.ipv4.conf.eth0.rp_filter': '0',
    'net.ipv4.conf.eth1.rp_filter': filter,
  },
});
const dropped = (value: number) => ({ net: { counters: { TcpExtIPReversePathFilter: value } } });

test('a bond that lost a member, and one that lost all', () => {
  expect(judgeOne(multihoming, { net: { links: [bond([true, false])] } })[0]).toMatchObject({
    status: 'warn',
    subject: { interface: 'bond0' },
    summary: 'bond bond0 (active-backup) runs on 1 of 2 members: eth1 down',
  });
  expect(judgeOne(multihoming, { net: { links: [bond([false, false])] } })[0]?.status).toBe('fail');
  expect(judgeOne(multihoming, { net: { links: [bond([true, true])] } })[0]?.status).toBe('pass');
});

test('strict filtering that drops on a host with two uplinks', () => {
  expect(judgeOne(multihoming, { net: twoUplinks('1'), first: dropped(2), last: dropped(9) })[0]).toMatchObject({
    status: 'fail',
    subject: { interface: 'eth1' },
    remedy: {
      commands: ['sysctl -w net.ipv4.conf.eth1.rp_filter=2'],
      undo: 'sysctl -w net.ipv4.conf.eth1.rp_filter=1',
    },
  });
  expect(judgeOne(multihoming, { net: twoUplinks('1'), first: dropped(2), last: dropped(2) })[0]?.status).toBe('info');
  expect(judgeOne(multihoming, { net: twoUplinks('1'), first: dropped(0), last: dropped(0) })[0]?.status).toBe('pass');
  expect(judgeOne(multihoming, { net: twoUplinks('2'), first: dropped(2), last: dropped(9) })[0]?.status).toBe('pass');
});

test('one uplink is not multihoming', () => {
  expect(judgeOne(multihoming, {})[0]?.status).toBe('not-applicable');
});
