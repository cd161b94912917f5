import { expect, test } from 'vitest';
import { link as check } from '../../../../src/checks/nic/link.js';
import type { Address, Link } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { linkOf, linkReading, vethOf } from '../../../support/links.js';

const judge = (link: Link, address?: string, first: Record<string, number> = {}, last: Record<string, number> = {}) => {
  const addresses: Address[] = address
    ? [{ interface: link.name, family: 'inet', address, prefixLength: 24, scope: 'global' }]
    : [];
  return judgeOne(check, {
    net: { links: [link], addresses },
    first: linkReading(first, undefined, link.name),
    last: linkReading(last, undefined, link.name),
  });
};

test('half duplex', () => {
  expect(
    judge(linkOf({ speedMbps: 100, supportedSpeedMbps: 100, duplex: 'half', autoNegotiation: false })),
  ).toMatchObject([{ status: 'warn', summary: 'eth0 runs at half duplex', subject: { interface: 'eth0' } }]);
  expect(judge(linkOf({ speedMbps: 1000, supportedSpeedMbps: 1000, duplex: 'full' }))).toMatchObject([
    { status: 'pass', summary: 'eth0 is up, 1000 Mbit/s, full duplex' },
  ]);
});

test('100 Mbit/s on a gigabit card is a fault, 10 of 25 Gbit/s a choice', () => {
  expect(judge(linkOf({ speedMbps: 100, supportedSpeedMbps: 1000 }))[0]).toMatchObject({
    status: 'warn',
    summary: 'eth0 runs at 100 Mbit/s; the card can do 1000',
  });
  expect(judge(linkOf({ speedMbps: 10_000, supportedSpeedMbps: 25_000 }))[0]?.status).toBe('info');
  expect(judge(linkOf({ speedMbps: 1000 }))[0]?.status).toBe('pass');
});

test('a PCIe slot that cannot carry the link', () => {
  const narrow = linkOf({
    speedMbps: 100_000,
    supportedSpeedMbps: 100_000,
    pcie: { speedGts: 8, maxSpeedGts: 16, width: 8, maxWidth: 16 },
  });
  expect(judge(narrow)).toMatchObject([
    {
      status: 'warn',
      summary: 'eth0 sits at PCIe x8 at 8 GT/s; the card can do x16 at 16 GT/s: 63 Gbit/s for a link of 100',
    },
  ]);
  const enough = linkOf({ speedMbps: 10_000, pcie: { speedGts: 8, maxSpeedGts: 8, width: 4, maxWidth: 8 } });
  expect(judge(enough)[0]?.status).toBe('info');
  const older = linkOf({ speedMbps: 25_000, pcie: { speedGts: 8, maxSpeedGts: 16, width: 8, maxWidth: 8 } });
  expect(judge(older)[0]?.status).toBe('pass');
  expect(
    judge(linkOf({ speedMbps: 10_000, pcie: { speedGts: 2.5, maxSpeedGts: 5, width: 4, maxWidth: 4 } }))[0]?.status,
  ).toBe('warn');
});

test('no carrier matters where there is an address or a master', () => {
  const down = { carrier: false, operState: 'down' };
  expect(judge(linkOf(down), '192.0.2.7')).toMatchObject([
    { status: 'warn', summary: 'eth0 is set up and has the address 192.0.2.7, but has no carrier' },
  ]);
  expect(judge(linkOf({ ...down, master: 'bond0' }))[0]).toMatchObject({ status: 'warn' });
  expect(judge(linkOf(down))).toMatchObject([{ status: 'pass', summary: 'eth0 has no carrier and no address' }]);
  expect(judge(linkOf({ ...down, up: false }), '192.0.2.7')).toMatchObject([{ status: 'not-applicable' }]);
  expect(judge(vethOf({ ...down, operState: 'lower-layer-down' }), '10.1.0.2')[0]?.status).toBe('warn');
  expect(judge(linkOf({ ...down, name: 'docker0', kind: 'bridge' }), '172.17.0.1')).toMatchObject([
    { status: 'not-applicable' },
  ]);
});

test('speed and duplex of virtual links are fiction', () => {
  expect(judge(vethOf({ speedMbps: 10, supportedSpeedMbps: 10_000, duplex: 'half' }), '10.1.0.2')).toMatchObject([
    { status: 'pass' },
  ]);
  expect(judge(linkOf({ kind: 'tun', driver: 'tun', duplex: 'half', speedMbps: 10 }), '10.1.0.2')).toMatchObject([
    { status: 'not-applicable' },
  ]);
});

test('damaged packets: a few warn, a share of the traffic fails', () => {
  expect(
    judge(linkOf(), undefined, { rx_crc_errors: 1, rx_packets: 0 }, { rx_crc_errors: 5, rx_packets: 996 })[0],
  ).toMatchObject({
    status: 'fail',
    summary: 'eth0 received 4 damaged packets (0.40 % of all) and dropped them',
  });
  expect(
    judge(linkOf(), undefined, { rx_crc_errors: 0, rx_packets: 0 }, { rx_crc_errors: 1, rx_packets: 1_000_000 })[0]
      ?.status,
  ).toBe('warn');
  expect(judge(linkOf(), undefined, { rx_crc_errors: 7 }, { rx_crc_errors: 7 })[0]?.status).toBe('pass');
});
