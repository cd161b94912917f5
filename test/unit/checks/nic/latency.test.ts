import { expect, test } from 'vitest';
import { busyPoll } from '../../../../src/checks/nic/busy-poll.js';
import { coalescing } from '../../../../src/checks/nic/coalescing.js';
import { napiDefer } from '../../../../src/checks/nic/napi-defer.js';
import type { Profile } from '../../../../src/model/results.js';
import type { Link } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { cpuTimes, linkOf, vethOf } from '../../../support/links.js';
import { connectionOf } from '../../../support/snapshot.js';

const coalesce = (link: Link, profile: Profile = 'latency') =>
  judgeOne(coalescing, { net: { links: [link] } }, profile)[0];

test('coalescing: adaptive or a time, under the latency profile alone', () => {
  const adaptive = linkOf({ coalescing: { adaptiveRx: true, rxUsecs: 8, rxFrames: 128 } });
  expect(coalesce(adaptive)).toMatchObject({
    status: 'warn',
    summary: 'eth0 holds receive interrupts back adaptively',
    remedy: {
      commands: ['ethtool -C eth0 adaptive-rx off rx-usecs 0'],
      undo: 'ethtool -C eth0 adaptive-rx on rx-usecs 8',
    },
  });
  expect(coalesce(linkOf({ coalescing: { rxUsecs: 50 } }))).toMatchObject({
    status: 'warn',
    summary: 'eth0 holds receive interrupts back for 50 µs',
    remedy: { commands: ['ethtool -C eth0 rx-usecs 0'], undo: 'ethtool -C eth0 rx-usecs 50' },
  });
  for (const profile of ['general', 'throughput', 'connections'] as const)
    expect(coalesce(adaptive, profile)?.status).toBe('not-applicable');
  expect(coalesce(linkOf({ coalescing: { adaptiveRx: false, rxUsecs: 0 } }))?.status).toBe('pass');
  expect(coalesce(linkOf({ coalescing: { rxFrames: 1 } }))?.status).toBe('not-applicable'); // virtio_net
  expect(coalesce(vethOf())?.status).toBe('not-applicable');
});

const poll = (
  value: string,
  idle: number,
  { profile = 'latency' as Profile, busyPollUs = 0, links = [linkOf()] } = {},
) =>
  judgeOne(
    busyPoll,
    {
      net: { links, sysctls: { 'net.core.busy_poll': value, 'net.core.busy_read': '0' } },
      first: { host: { cpus: [cpuTimes(0, 0), cpuTimes(1, 0)] } },
      last: {
        host: { cpus: [cpuTimes(0, 0, 100 - idle, idle), cpuTimes(1, 0, 100, 0)] },
        sockets: { connections: [connectionOf({ options: { busyPollUs } })] },
      },
    },
    profile,
  )[0];

test('busy-poll: off with a spare CPU is an opportunity under the latency profile', () => {
  expect(poll('0', 90)).toMatchObject({
    status: 'info',
    summary: 'busy polling is off while 1 of 2 CPUs are idle',
    remedy: { commands: ['sysctl -w net.core.busy_read=50', 'sysctl -w net.core.busy_poll=50'] },
  });
  expect(poll('0', 10)?.status).toBe('pass');
  expect(poll('50', 90)?.status).toBe('pass');
  expect(poll('0', 90, { busyPollUs: 50 })?.status).toBe('pass');
  expect(poll('0', 90, { profile: 'general' })?.status).toBe('not-applicable');
  expect(poll('0', 90, { links: [vethOf()] })?.status).toBe('not-applicable');
  expect(judgeOne(busyPoll, { net: { links: [linkOf()] } }, 'latency')[0]?.status).toBe('not-applicable');
});

const defer = (napiDeferHardIrqs: number, groFlushTimeoutNs: number, profile: Profile = 'general', busy = '0') =>
  judgeOne(
    napiDefer,
    { net: { links: [vethOf({ napiDeferHardIrqs, groFlushTimeoutNs })], sysctls: { 'net.core.busy_poll': busy } } },
    profile,
  )[0];

test('napi-defer: half a pair', () => {
  expect(defer(2, 0)).toMatchObject({
    status: 'info',
    subject: { interface: 'veth0' },
    summary: 'veth0: napi_defer_hard_irqs is 2 but gro_flush_timeout is 0, so it does nothing',
  });
  expect(defer(0, 50_000)?.status).toBe('info');
  expect(defer(0, 50_000, 'latency')).toMatchObject({
    status: 'warn',
    summary: 'veth0: gro_flush_timeout alone keeps packets up to 50 µs in GRO',
    remedy: {
      commands: ['echo 0 > /sys/class/net/veth0/gro_flush_timeout'],
      undo: 'echo 50000 > /sys/class/net/veth0/gro_flush_timeout',
    },
  });
});

test('napi-defer: both belong to busy polling; neither is the default', () => {
  expect(defer(2, 20_000)?.status).toBe('info');
  expect(defer(2, 20_000, 'latency', '50')?.status).toBe('pass');
  expect(defer(0, 0)?.status).toBe('pass');
  expect(judgeOne(napiDefer, { net: { links: [linkOf()] } })[0]?.status).toBe('not-applicable');
});
