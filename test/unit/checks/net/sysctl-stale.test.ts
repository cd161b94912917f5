import { expect, test } from 'vitest';
import { sysctlStale } from '../../../../src/checks/net/sysctl-stale.js';
import { judgeOne } from '../../../support/judge.js';
import { sysctlFilesOf } from '../../../support/snapshot.js';

const FILE = '/etc/sysctl.d/99-tuning.conf';
const judged = (lines: Record<string, string>) =>
  judgeOne(sysctlStale, { host: { sysctlFiles: sysctlFilesOf({ [FILE]: lines }) } });

test.each([
  ['net.ipv4.tcp_tw_recycle', '1'],
  ['net.ipv4.tcp_low_latency', '1'],
  ['net.ipv4.tcp_fack', '1'],
  ['net.ipv4.tcp_collapse_max_bytes', '6291456'],
  ['net.ipv4.tcp_timestamps', '0'],
  ['net.ipv4.netfilter.ip_conntrack_max', '100'],
  ['kern.ipc.somaxconn', '4096'],
])('%s=%s is stale where it stands', (key, value) => {
  expect(judged({ 'net.core.somaxconn': '4096', [key]: value })).toMatchObject([
    {
      status: 'warn',
      subject: { key, file: FILE },
      remedy: { commands: [`sed -i --follow-symlinks '2s|^|# |' ${FILE}`] },
    },
  ]);
});

test('living keys pass, an expected failure is information', () => {
  expect(
    judged({ 'net.ipv4.tcp_timestamps': '1', 'net.ipv4.tcp_tw_reuse': '2', 'kernel.pid_max': '4194304' })[0]?.status,
  ).toBe('pass');
  expect(judged({ '-net.ipv4.tcp_fack': '1' })[0]?.status).toBe('info');
  expect(judgeOne(sysctlStale, {})[0]?.status).toBe('unknown');
});
