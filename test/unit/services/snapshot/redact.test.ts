import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checks } from '../../../../src/checks/registry.js';
import { judge } from '../../../../src/services/diagnose/judge.js';
import { maskIpv4, maskIpv6 } from '../../../../src/services/snapshot/redact/addresses.js';
import { keyed } from '../../../../src/services/snapshot/redact/keyed.js';
import { maskText } from '../../../../src/services/snapshot/redact/text.js';
import { redact } from '../../../../src/services/snapshot/redact.js';
import { connectionOf, listenerOf, processOf, snapshotOf } from '../../../support/snapshot.js';

const key = keyed(new Uint8Array(32).fill(7));
const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
const bitsOf = (address: string) =>
  address
    .split('.')
    .map((octet) => Number(octet).toString(2).padStart(8, '0'))
    .join('');
const shared = (a: string, b: string) => {
  let bits = 0;
  while (bits < a.length && a[bits] === b[bits]) bits++;
  return bits;
};
const classOf = (address: string) => {
  const [a = 0, b = 0] = address.split('.').map(Number);
  if (a === 0 || a === 127 || a >= 224) return `special ${a}`;
  if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return 'private';
  if (a === 169 && b === 254) return 'link-local';
  return a === 100 && b >= 64 && b < 128 ? 'shared' : 'public';
};

test('masked IPv4 addresses share as many leading bits as before, and stay in their class', () => {
  fc.assert(
    fc.property(octets, octets, fc.integer({ min: 0, max: 32 }), (one, other, common) => {
      const a = one.join('.');
      const bits = bitsOf(a).slice(0, common) + bitsOf(other.join('.')).slice(common);
      const b = (bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)).join('.');
      const [x, y] = [maskIpv4(a, key), maskIpv4(b, key)];
      expect(classOf(x)).toBe(classOf(a));
      if (classOf(a) === classOf(b)) expect(shared(bitsOf(x), bitsOf(y))).toBe(shared(bitsOf(a), bitsOf(b)));
      else expect(x).not.toBe(y);
    }),
  );
});

test('IPv6: one address has one mask in every spelling, and stays in its class', () => {
  const address = '2001:db8:1:2::abcd';
  const masked = maskIpv6(address, key);
  expect(masked).toMatch(/^2001:/);
  expect(masked).not.toBe(address);
  expect(maskIpv6('2001:0DB8:1:2:0:0:0:ABCD', key)).toBe(masked);
  expect(maskIpv6('2001:db8:1:2::1', key).split(':').slice(0, 4)).toEqual(masked.split(':').slice(0, 4));
  expect(maskIpv6('::1', key)).toBe('::1');
  expect(maskIpv6('::', key)).toBe('::');
  expect(maskIpv6('ff02::1', key)).toBe('ff02::1');
  expect(maskIpv6('fe80::1234:56ff:fe78:9abc', key)).toMatch(/^fe80::/);
  expect(maskIpv6('fd12:3456::1', key)).toMatch(/^fd/);
  expect(maskIpv6('::ffff:10.1.2.3', key)).toBe(`::ffff:${maskIpv4('10.1.2.3', key)}`);
  const gid = maskIpv6('0000:0000:0000:0000:0000:ffff:0a01:0203', key);
  expect(gid).toHaveLength(39);
  const [high, low] = gid
    .split(':')
    .slice(6)
    .map((group) => Number.parseInt(group, 16).toString(16));
  expect(maskIpv6('::ffff:a01:203', key)).toBe(`::ffff:${high}:${low}`);
});

test('finds addresses wherever they stand and leaves numbers, times and versions alone', () => {
  const v4 = maskIpv4('10.1.2.3', key);
  const v6 = maskIpv6('2001:db8::5', key);
  expect(maskText('10.1.2.3:8080 -> [2001:db8::5]:443', key)).toBe(`${v4}:8080 -> [${v6}]:443`);
  expect(maskText('from=10.1.2.3,10.1.2.3-10.1.2.3', key)).toBe(`from=${v4},${v4}-${v4}`);
  expect(maskText('2001:db8::5%eth0', key)).toBe(`${v6}%eth0`);
  expect(maskText('127.0.0.1 0.0.0.0:80 [::]:80 12:30:45 4096 131072 6291456 5.10.0', key)).toBe(
    '127.0.0.1 0.0.0.0:80 [::]:80 12:30:45 4096 131072 6291456 5.10.0',
  );
  expect(maskText('10.1.2.0/24', key)).toMatch(/^10\.\d+\.\d+\.0\/24$/);
  const mac = maskText('52:54:00:12:34:56', key);
  expect(mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  expect(mac).not.toBe('52:54:00:12:34:56');
  expect(Number.parseInt(mac.slice(0, 2), 16) & 3).toBe(2);
  expect(maskText('/docker/3f2a9c1b2d4e/br-3f2a9c1b2d4e', key)).toMatch(/^\/docker\/([0-9a-f]{12})\/br-\1$/);
  expect(maskText('pod3f2a9c1b_2d4e_4f00_8888_0123456789ab.slice', key)).not.toContain('3f2a9c1b');
  expect(maskText('123456789012345678', key)).toBe('123456789012345678');
});

const CONTAINER = '3f2a9c1b2d4e5f60718293a4b5c6d7e8f90123456789abcdef0123456789abcd';
const secrets = [
  '203.0.113.77',
  '10.20.30.40',
  '2001:db8:77::9',
  'db-primary',
  'alice',
  'hunter2',
  '52:54:00:ab:cd:ef',
  CONTAINER,
  '--password',
];
const telling = () =>
  snapshotOf({
    windowMs: 1000,
    host: {
      hostname: 'db-primary.example.org',
      sysctls: { 'kernel.hostname': 'db-primary.example.org', 'kernel.core_pattern': '/home/alice/core' },
    },
    net: {
      sysctls: { 'net.ipv4.tcp_timestamps': '0', 'net.ipv4.ip_local_port_range': '32768 60999' },
      addresses: [{ interface: 'eth0', family: 'inet', address: '10.20.30.40', prefixLength: 24, scope: 'global' }],
      links: [
        {
          index: 2,
          name: 'eth0',
          type: 'ether',
          up: true,
          operState: 'up',
          mtu: 1500,
          macAddress: '52:54:00:ab:cd:ef',
        },
      ],
    },
    first: {
      net: { counters: { TcpExtListenOverflows: 1 } },
      sockets: { listeners: [listenerOf({ local: '10.20.30.40:80' })] },
    },
    last: {
      host: {
        processes: [
          processOf({ commandLine: '/home/alice/bin/server --password hunter2', cgroup: `/docker/${CONTAINER}` }),
          processOf({ pid: 43, comm: 'alice-helper' }),
        ],
      },
      net: { counters: { TcpExtListenOverflows: 9 } },
      sockets: {
        listeners: [listenerOf({ local: '10.20.30.40:80', drops: 8 })],
        connections: [connectionOf({ local: '10.20.30.40:80', remote: '203.0.113.77:5555' })],
        unix: [{ path: '/home/alice/.cache/agent.sock', type: 'stream', inode: 5, listening: true, queue: 0 }],
        ports: [{ source: '10.20.30.40', destination: '2001:db8:77::9', destinationPort: 443, inUse: 1, timeWait: 0 }],
      },
    },
    snapshot: { observed: { kernelLog: [{ atMs: 5, text: 'martian source 203.0.113.77 from db-primary' }] } },
  });

test('nothing that tells who or where it is remains, and the findings are the same', () => {
  const original = telling();
  const masked = redact(original);
  const text = JSON.stringify(masked);
  for (const secret of secrets) expect(text, secret).not.toContain(secret);
  expect(masked.redacted).toBe(true);
  expect(masked.host.hostname).toBe('masked-host');
  const settings = { profile: 'general' as const, thresholds: {} };
  const findings = (snapshot: typeof original) =>
    judge(checks, snapshot, settings).map(({ id, status }) => ({ id, status }));
  expect(findings(masked)).toEqual(findings(original));
  expect(findings(masked)).toContainEqual({ id: 'listen-overflow', status: 'fail' });
});

test('one address has one mask throughout, another run has other masks, the original is not touched', () => {
  const original = telling();
  const before = JSON.stringify(original);
  const masked = redact(original);
  const [address] = masked.netns[0]?.addresses ?? [];
  const last = masked.readings.at(-1)?.netns[0]?.sockets;
  expect(last?.listeners[0]?.local).toBe(`${address?.address}:80`);
  expect(last?.connections[0]?.local).toBe(`${address?.address}:80`);
  expect(JSON.stringify(original)).toBe(before);
  const other = redact(original).netns[0]?.addresses[0]?.address;
  expect(address?.address).toMatch(/^10\./);
  expect([other, redact(original).netns[0]?.addresses[0]?.address]).not.toEqual([address?.address, address?.address]);
});
