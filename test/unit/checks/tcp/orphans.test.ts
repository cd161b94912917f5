import { expect, test } from 'vitest';
import { orphans } from '../../../../src/checks/tcp/orphans.js';
import { judgeOne } from '../../../support/judge.js';

const net = (aborted: number, orphan: number) => ({
  counters: { TcpExtTCPAbortOnMemory: aborted },
  sockstat: { 'TCP.orphan': orphan },
});
const over = (
  before: number,
  after: number,
  orphan: number,
  sysctls: Record<string, string> = { 'net.ipv4.tcp_max_orphans': '1000' },
) => judgeOne(orphans, { net: { sysctls }, first: { net: net(before, orphan) }, last: { net: net(after, orphan) } })[0];

test('connections reset for lack of room fail; a nearly used up limit warns, then fails, and is raised', () => {
  expect(over(1, 4, 10)).toMatchObject({ status: 'fail', summary: '3 closed connections were reset for lack of room' });
  expect(over(1, 4, 10)?.remedy?.tunes).toEqual([]);
  expect(over(1, 1, 850)).toMatchObject({
    status: 'warn',
    remedy: { tunes: [{ key: 'net.ipv4.tcp_max_orphans', from: '1000', to: '2000' }] },
  });
  expect(over(1, 1, 960)?.status).toBe('fail');
});

test('old ones are info; in a namespace without the limit only the counter is judged', () => {
  expect(over(1, 1, 10)?.status).toBe('info');
  expect(over(0, 0, 10)?.status).toBe('pass');
  expect(over(0, 0, 990, {})?.status).toBe('pass');
  expect(over(0, 2, 990, {})?.status).toBe('fail');
  expect(judgeOne(orphans, {})[0]?.status).toBe('not-applicable');
});
