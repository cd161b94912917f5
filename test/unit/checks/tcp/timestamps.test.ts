import { expect, test } from 'vitest';
import { timestamps } from '../../../../src/checks/tcp/timestamps.js';
import { judgeOne } from '../../../support/judge.js';

const withValue = (value: string) =>
  judgeOne(timestamps, { net: { sysctls: { 'net.ipv4.tcp_timestamps': value } } })[0];

test('off is a warning with the change that mends it, on passes, unreadable is unknown', () => {
  expect(withValue('0')).toMatchObject({
    status: 'warn',
    remedy: {
      tunes: [{ key: 'net.ipv4.tcp_timestamps', from: '0', to: '1' }],
      undo: 'sysctl -w net.ipv4.tcp_timestamps=0',
    },
  });
  expect(withValue('1')?.status).toBe('pass');
  expect(withValue('2')?.status).toBe('pass');
  expect(judgeOne(timestamps, {})[0]?.status).toBe('unknown');
});
