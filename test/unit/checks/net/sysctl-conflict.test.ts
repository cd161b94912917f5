import { expect, test } from 'vitest';
import { sysctlConflict } from '../../../../src/checks/net/sysctl-conflict.js';
import type { HostFacts, NetnsFacts } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { sysctlFilesOf } from '../../../support/snapshot.js';

const KEY = 'net.core.somaxconn';
const judged = (
  files: Record<string, Record<string, string>>,
  live: Record<string, string> = {},
  host: Partial<HostFacts> = {},
  net: Partial<NetnsFacts> = {},
) =>
  judgeOne(sysctlConflict, {
    host: { sysctlFiles: sysctlFilesOf(files), ...host },
    net: { sysctls: live, initial: true, ...net },
  });

test('two files of the owner with different values', () => {
  const [result] = judged(
    { '/etc/sysctl.d/10-a.conf': { [KEY]: '1024' }, '/etc/sysctl.d/20-b.conf': { [KEY]: '8192' } },
    { [KEY]: '8192' },
  );
  expect(result).toMatchObject({
    status: 'warn',
    subject: { key: KEY, file: '/etc/sysctl.d/20-b.conf' },
    summary: `${KEY}: 8192 in /etc/sysctl.d/20-b.conf:1 wins over 1024 in /etc/sysctl.d/10-a.conf:1`,
    remedy: { commands: ["sed -i --follow-symlinks '1s|^|# |' /etc/sysctl.d/10-a.conf"] },
  });
});

test('the owner over the distribution is as meant, the other way round is a surprise', () => {
  const files = { '/usr/lib/sysctl.d/50-d.conf': { [KEY]: '4096' }, '/etc/sysctl.d/99-o.conf': { [KEY]: '8192' } };
  expect(judged(files, { [KEY]: '8192' })[0]?.status).toBe('info');
  const early = { '/etc/sysctl.d/10-o.conf': { [KEY]: '8192' }, '/usr/lib/sysctl.d/50-d.conf': { [KEY]: '4096' } };
  expect(judged(early, { [KEY]: '4096' })[0]).toMatchObject({ status: 'warn' });
  expect(judged(early, { [KEY]: '4096' })[0]?.summary).toContain("the distribution's file wins");
});

test('where systemd and procps differ both are reported', () => {
  const [result] = judged(
    { '/etc/sysctl.d/20-b.conf': { [KEY]: '8192' }, '/etc/sysctl.conf': { [KEY]: '1024' } },
    { [KEY]: '8192' },
  );
  expect(result?.status).toBe('warn');
  expect(result?.summary).toBe(
    `${KEY}: systemd-sysctl ends with 8192 (/etc/sysctl.d/20-b.conf:1), sysctl --system with 1024 (/etc/sysctl.conf:1)`,
  );
});

test('a live value that no file asked for, with its other owners; the remedy never lowers', () => {
  const file = { '/etc/sysctl.d/20-b.conf': { [KEY]: '8192' } };
  const owners = { settingOwners: [{ name: 'tuned', detail: 'throughput-performance' }] };
  expect(judged(file, { [KEY]: '4096' }, owners)[0]).toMatchObject({
    status: 'warn',
    summary: `${KEY}: 8192 in /etc/sysctl.d/20-b.conf:1, but 4096 is in force; tuned (throughput-performance) may write settings here too`,
    remedy: { commands: [`sysctl -w '${KEY}=8192'`], undo: `sysctl -w '${KEY}=4096'` },
  });
  expect(judged(file, { [KEY]: '65535' })[0]?.remedy?.commands).toEqual([
    `sed -i --follow-symlinks '1s|.*|${KEY} = 65535|' /etc/sysctl.d/20-b.conf`,
  ]);
});

test.each<[string, Record<string, Record<string, string>>, Record<string, string>]>([
  [
    'white space',
    { '/etc/sysctl.d/a.conf': { 'net.ipv4.tcp_rmem': '4096\t131072  6291456' } },
    { 'net.ipv4.tcp_rmem': '4096 131072 6291456' },
  ],
  ['a key that this kernel lacks', { '/etc/sysctl.d/a.conf': { 'net.bridge.bridge-nf-call-iptables': '1' } }, {}],
  [
    'a key that nothing here uses',
    { '/etc/sysctl.d/a.conf': { 'kernel.sysrq': '0' }, '/etc/sysctl.d/b.conf': { 'kernel.sysrq': '1' } },
    {},
  ],
  ['a glob', { '/etc/sysctl.d/a.conf': { 'net.ipv4.conf.*.rp_filter': '2' } }, { 'net.ipv4.conf.eth0.rp_filter': '1' }],
  [
    'the same value twice',
    { '/etc/sysctl.d/a.conf': { [KEY]: '1' }, '/etc/sysctl.d/b.conf': { [KEY]: '1' } },
    { [KEY]: '1' },
  ],
  [
    'rounding up',
    { '/etc/sysctl.d/a.conf': { 'net.core.rps_sock_flow_entries': '30000' } },
    { 'net.core.rps_sock_flow_entries': '32768' },
  ],
  [
    'merged ranges',
    { '/etc/sysctl.d/a.conf': { 'net.ipv4.ip_local_reserved_ports': '8081,8080,9000-9001' } },
    { 'net.ipv4.ip_local_reserved_ports': '8080-8081,9000-9001' },
  ],
])('%s is no conflict', (_, files, live) => {
  expect(judged(files, live)[0]?.status).toBe('pass');
});

test('live values are compared in the initial namespace alone', () => {
  const file = { '/etc/sysctl.d/20-b.conf': { [KEY]: '8192' } };
  expect(judged(file, { [KEY]: '4096' }, {}, { initial: false })[0]?.status).toBe('pass');
  expect(judgeOne(sysctlConflict, {})[0]?.status).toBe('unknown');
});

test('a key of one interface is information: the interface may be younger than the boot', () => {
  const key = 'net.ipv4.conf.eth0.rp_filter';
  expect(judged({ '/etc/sysctl.d/a.conf': { [key]: '1' } }, { [key]: '2' })[0]?.status).toBe('info');
});
