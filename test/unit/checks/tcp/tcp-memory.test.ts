import { expect, test } from 'vitest';
import { tcpMemory } from '../../../../src/checks/tcp/tcp-memory.js';
import { judgeOne } from '../../../support/judge.js';

const net = (pages: number, pressures: number) => ({
  counters: { TcpExtTCPMemoryPressures: pressures },
  sockstat: { 'TCP.mem': pages },
});
const over = (
  pages: number,
  pressures = 0,
  sysctls: Record<string, string> = { 'net.ipv4.tcp_mem': '100 200 300' },
  before = 0,
) =>
  judgeOne(tcpMemory, {
    net: { sysctls },
    first: { net: net(pages, before) },
    last: { net: net(pages, pressures) },
  })[0];

test('over pressure warns, near the end fails, and the limit grows by half', () => {
  expect(over(250)).toMatchObject({
    status: 'warn',
    remedy: {
      commands: ['sysctl -w "net.ipv4.tcp_mem=150 300 450"'],
      undo: 'sysctl -w "net.ipv4.tcp_mem=100 200 300"',
    },
  });
  expect(over(290)?.status).toBe('fail');
  expect(over(10, 3)).toMatchObject({
    status: 'warn',
    summary: 'TCP ran into memory pressure 3 times within the window',
  });
});

test('never more than a quarter of the memory', () => {
  const quarter = 2 ** 31 / 4096;
  const large = over(quarter, 0, { 'net.ipv4.tcp_mem': `100 200 ${quarter}` });
  expect(large).toMatchObject({ status: 'fail', remedy: { tunes: [], commands: [] } });
});

test('room is a pass, old pressure info, a namespace without the limit not applicable', () => {
  expect(over(150)?.status).toBe('pass');
  expect(over(150, 2, undefined, 2)?.status).toBe('info');
  expect(over(150, 0, {})?.status).toBe('not-applicable');
  expect(judgeOne(tcpMemory, {})[0]?.status).toBe('unknown');
});
