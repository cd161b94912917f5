import { expect, test } from 'vitest';
import { abortOnOverflow } from '../../../../src/checks/tcp/abort-on-overflow.js';
import { judgeOne } from '../../../support/judge.js';

const withValue = (value: string) =>
  judgeOne(abortOnOverflow, { net: { sysctls: { 'net.ipv4.tcp_abort_on_overflow': value } } })[0];

test('on is a warning with the change that mends it, off passes, unreadable is unknown', () => {
  expect(withValue('1')).toMatchObject({
    status: 'warn',
    subject: { key: 'net.ipv4.tcp_abort_on_overflow' },
    remedy: {
      tunes: [{ key: 'net.ipv4.tcp_abort_on_overflow', from: '1', to: '0' }],
      undo: 'sysctl -w net.ipv4.tcp_abort_on_overflow=1',
    },
  });
  expect(withValue('0')?.status).toBe('pass');
  expect(judgeOne(abortOnOverflow, {})[0]?.status).toBe('unknown');
});
