import { expect, test } from 'vitest';
import { offloads } from '../../../../src/checks/nic/offloads.js';
import type { Profile } from '../../../../src/model/results.js';
import type { Link, LinkCounters } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { countersOf, linkOf, vethOf } from '../../../support/links.js';

const on = { on: true, changeable: true };
const off = { on: false, changeable: true };
const fixed = { on: false, changeable: false };
/** As ethtool -k shows an mlx5 card. */
const FEATURES = {
  'rx-checksum': on,
  'tx-checksum-ipv4': fixed,
  'tx-checksum-ip-generic': on,
  'tx-checksum-ipv6': fixed,
  'tx-scatter-gather': on,
  'tx-tcp-segmentation': on,
  'tx-generic-segmentation': on,
  'rx-gro': on,
  'rx-lro': off,
  'rx-hashing': on,
};

const judge = (
  link: Link,
  {
    first = {},
    last = {},
    profile = 'general' as Profile,
  }: { first?: Partial<LinkCounters>; last?: Partial<LinkCounters>; profile?: Profile } = {},
) => {
  const end = (counters: Partial<LinkCounters>) => ({
    net: { links: [{ ...countersOf({}, undefined, link.name), ...counters }] },
  });
  return judgeOne(offloads, { net: { links: [link] }, first: end(first), last: end(last) }, profile);
};
const bytes = (rx: number, tx: number) => ({ standard: { rx_bytes: rx, tx_bytes: tx } });
const gigabit = 125e6;

test('segmentation off under load, with the one command that brings it back', () => {
  const link = linkOf({ features: { ...FEATURES, 'tx-tcp-segmentation': off, 'tx-checksum-ip-generic': off } });
  const [result] = judge(link, { first: bytes(0, 0), last: bytes(0, gigabit) });
  expect(result).toMatchObject({
    status: 'warn',
    subject: { interface: 'eth0' },
    summary: 'eth0: transmit checksums, TCP segmentation offload are off, at 0 Mbit/s in and 1000 Mbit/s out',
    remedy: { commands: ['ethtool -K eth0 tx on tso on'], undo: 'ethtool -K eth0 tx off tso off' },
  });
});

test('off without load is an opportunity; the throughput profile is a goal', () => {
  const link = linkOf({ features: { ...FEATURES, 'rx-gro': off } });
  expect(judge(link, { first: bytes(0, 0), last: bytes(1000, gigabit) })[0]?.status).toBe('info'); // GRO is of the other direction
  expect(judge(link)[0]?.status).toBe('info');
  expect(judge(link, { profile: 'throughput' })[0]?.status).toBe('warn');
  expect(judge(link, { profile: 'latency' })[0]?.status).toBe('pass');
});

test('what is fixed off cannot be turned on: no finding', () => {
  const link = linkOf({
    driver: 'virtio_net',
    features: { ...FEATURES, 'tx-tcp-segmentation': fixed, 'rx-hashing': fixed },
  });
  expect(judge(link)).toMatchObject([{ status: 'pass' }]);
});

test('what a driver leaves off for its hardware is left alone', () => {
  const features = { ...FEATURES, 'tx-scatter-gather': off, 'tx-tcp-segmentation': off };
  expect(judge(linkOf({ driver: 'r8169', features }))).toMatchObject([{ status: 'pass' }]);
  expect(judge(linkOf({ driver: 'igb', features }))).toMatchObject([{ status: 'info' }]);
});

test('the receive hash matters with several queues', () => {
  const features = { ...FEATURES, 'rx-hashing': off };
  expect(judge(linkOf({ features, channels: { combined: 1 } }))[0]?.status).toBe('pass');
  expect(judge(linkOf({ features, channels: { combined: 8 } }), { profile: 'throughput' })[0]).toMatchObject({
    status: 'info',
  });
});

test('a veth pair has no GRO by default, but segmentation and checksums', () => {
  const features = { ...FEATURES, 'rx-gro': off, 'rx-hashing': fixed };
  expect(judge(vethOf({ features }))[0]?.status).toBe('pass');
  expect(judge(vethOf({ features: { ...features, 'tx-checksum-ip-generic': off } }))[0]?.status).toBe('info');
});

test('loopback, tun, bridges and bonds are not judged', () => {
  const features = { ...FEATURES, 'tx-tcp-segmentation': off };
  for (const link of [
    linkOf({ name: 'lo', type: 'loopback', features }),
    linkOf({ kind: 'tun', features }),
    linkOf({ kind: 'bridge', features }),
    linkOf({ up: false, features }),
  ])
    expect(judge(link)).toMatchObject([{ status: 'not-applicable' }]);
  expect(judge(linkOf())[0]?.status).toBe('unknown');
});

test('pause frames of the window, with the direction that explains them', () => {
  const link = linkOf({ features: FEATURES });
  const received = judge(link, {
    first: { pause: { rxFrames: 5, txFrames: 3 } },
    last: { pause: { rxFrames: 25, txFrames: 3 } },
  });
  expect(received).toMatchObject([
    { status: 'warn', summary: 'eth0 was told to stop sending: 20 pause frames came in' },
    { status: 'pass' },
  ]);
  const sent = judge(link, {
    first: { driver: { tx_flow_control_xoff: 1 } },
    last: { driver: { tx_flow_control_xoff: 4 } },
  });
  expect(sent[0]).toMatchObject({ status: 'warn', summary: 'eth0 told its peer to stop: it sent 3 pause frames' });
  const old = { pause: { rxFrames: 900, txFrames: 900 } };
  expect(judge(link, { first: old, last: old })).toMatchObject([{ status: 'pass' }]);
});

test('an RSS table that leaves queues out is shown, as somebody may have meant it', () => {
  const link = linkOf({ features: FEATURES, channels: { combined: 8 }, rss: { tableSize: 128, queuesUsed: 1 } });
  expect(judge(link)[0]).toMatchObject({
    status: 'info',
    summary: 'the RSS table of eth0 uses 1 of its 8 receive queues',
    remedy: { commands: ['ethtool -X eth0 equal 8'] },
  });
  expect(judge(linkOf({ features: FEATURES, channels: { combined: 8 }, rss: { queuesUsed: 8 } }))).toMatchObject([
    { status: 'pass' },
  ]);
});
