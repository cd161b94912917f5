import { expect, test } from 'vitest';
import { fastopen } from '../../../../src/checks/tcp/fastopen.js';
import { judgeOne } from '../../../support/judge.js';

const over = (before: number, after: number, value: string) =>
  judgeOne(fastopen, {
    net: { sysctls: { 'net.ipv4.tcp_fastopen': value } },
    first: { net: { counters: { TcpExtTCPFastOpenListenOverflow: before } } },
    last: { net: { counters: { TcpExtTCPFastOpenListenOverflow: after } } },
  })[0];

test('an overflow within the window is a warning, an old one info, none a pass', () => {
  expect(over(2, 7, '3')).toMatchObject({ status: 'warn', summary: expect.stringMatching(/^5 connections/) });
  expect(over(2, 2, '3')?.status).toBe('info');
  expect(over(0, 0, '3')?.status).toBe('pass');
  expect(over(0, 0, '1')).toMatchObject({ status: 'pass', summary: 'no program serves Fast Open here' });
  expect(judgeOne(fastopen, {})[0]?.status).toBe('unknown');
});
