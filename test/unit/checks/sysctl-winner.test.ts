import { expect, test } from 'vitest';
import { matches, sameValue, winner } from '../../../src/checks/sysctl-winner.js';
import type { SysctlAssignment, SysctlFiles } from '../../../src/model/snapshot/index.js';

const A = '/usr/lib/sysctl.d/10-a.conf';
const B = '/etc/sysctl.d/90-b.conf';
const CONF = '/etc/sysctl.conf';

const line = (file: string, at: number, key: string, value?: string): SysctlAssignment => ({
  key,
  ...(value === undefined ? {} : { value }),
  file,
  line: at,
  ignoreErrors: value === undefined,
  glob: /[*?[]/.test(key),
});

const files = (...assignments: SysctlAssignment[]): SysctlFiles => ({
  assignments,
  order: { systemd: [A, B], procps: [A, B, CONF] },
  masked: [],
});

test('a later file wins, and within a file a later line', () => {
  const set = files(
    line(B, 1, 'net.core.somaxconn', '1'),
    line(B, 9, 'net.core.somaxconn', '2'),
    line(A, 50, 'net.core.somaxconn', '3'),
  );
  expect(winner(set, 'systemd', 'net.core.somaxconn')).toMatchObject({ file: B, value: '2' });
});

test('procps applies /etc/sysctl.conf last, systemd does not read it', () => {
  const set = files(line(CONF, 1, 'net.core.somaxconn', '1'), line(B, 1, 'net.core.somaxconn', '2'));
  expect(winner(set, 'systemd', 'net.core.somaxconn')?.value).toBe('2');
  expect(winner(set, 'procps', 'net.core.somaxconn')?.value).toBe('1');
});

test('a key of its own beats a later glob, and "-key" alone keeps globs away', () => {
  const own = files(line(A, 1, 'net.ipv4.conf.all.rp_filter', '0'), line(B, 1, 'net.ipv4.conf.*.rp_filter', '2'));
  expect(winner(own, 'systemd', 'net.ipv4.conf.all.rp_filter')?.value).toBe('0');
  expect(winner(own, 'systemd', 'net.ipv4.conf.eth0.rp_filter')?.value).toBe('2');
  const exempt = files(line(A, 1, 'net.ipv4.conf.*.rp_filter', '2'), line(A, 2, 'net.ipv4.conf.all.rp_filter'));
  expect(winner(exempt, 'systemd', 'net.ipv4.conf.all.rp_filter')).toBeUndefined();
  expect(winner(exempt, 'systemd', 'net.core.somaxconn')).toBeUndefined();
});

test('a glob stays within its level', () => {
  expect(matches('net.ipv4.conf.*.rp_filter', 'net.ipv4.conf.eth0/100.rp_filter')).toBe(true);
  expect(matches('net.*.rp_filter', 'net.ipv4.conf.all.rp_filter')).toBe(false);
  expect(matches('net.ipv4.conf.eth[0-3].rp_filter', 'net.ipv4.conf.eth2.rp_filter')).toBe(true);
  expect(matches('net.ipv4.conf.eth[!0].rp_filter', 'net.ipv4.conf.eth0.rp_filter')).toBe(false);
  expect(matches('net.[', 'net.[')).toBe(false);
});

test('values are compared as the kernel reads them', () => {
  expect(sameValue('4096\t131072 6291456 ', '4096 131072 6291456')).toBe(true);
  expect(sameValue('0x1b6', '438')).toBe(true);
  expect(sameValue('010', '8')).toBe(true);
  expect(sameValue('bbr', 'cubic')).toBe(false);
  expect(sameValue('0', '00')).toBe(true);
});

test('"-key" takes back earlier assignments for systemd, not for procps', () => {
  const set = files(line(A, 1, 'net.core.somaxconn', '1'), line(A, 2, 'net.core.somaxconn'));
  expect(winner(set, 'systemd', 'net.core.somaxconn')).toBeUndefined();
  expect(winner(set, 'procps', 'net.core.somaxconn')?.value).toBe('1');
  const later = files(line(A, 1, 'net.core.somaxconn'), line(A, 2, 'net.core.somaxconn', '1'));
  expect(winner(later, 'systemd', 'net.core.somaxconn')?.value).toBe('1');
});
