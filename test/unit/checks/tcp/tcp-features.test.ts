import { expect, test } from 'vitest';
import { tcpFeatures } from '../../../../src/checks/tcp/tcp-features.js';
import { judgeOne } from '../../../support/judge.js';

const on = { 'net.ipv4.tcp_window_scaling': '1', 'net.ipv4.tcp_sack': '1', 'net.ipv4.tcp_moderate_rcvbuf': '1' };
const over = (sysctls: Record<string, string>) => judgeOne(tcpFeatures, { net: { sysctls } });

test('each feature that is off is a warning of its own', () => {
  expect(over({ ...on, 'net.ipv4.tcp_sack': '0', 'net.ipv4.tcp_window_scaling': '0' })).toMatchObject([
    { status: 'warn', subject: { key: 'net.ipv4.tcp_window_scaling' } },
    {
      status: 'warn',
      subject: { key: 'net.ipv4.tcp_sack' },
      remedy: { tunes: [{ key: 'net.ipv4.tcp_sack', from: '0', to: '1' }] },
    },
  ]);
});

test('all on passes, unreadable is unknown, also in part', () => {
  expect(over(on)).toMatchObject([{ status: 'pass' }]);
  expect(over({})).toMatchObject([{ status: 'unknown' }]);
  expect(over({ 'net.ipv4.tcp_sack': '1' })).toMatchObject([{ status: 'unknown' }]);
});
