import { expect, test } from 'vitest';
import { ephemeralPorts } from '../../../../src/checks/tcp/ephemeral-ports.js';
import { judgeOne } from '../../../support/judge.js';
import { listenerOf, processOf } from '../../../support/snapshot.js';

const SYSCTLS = {
  'net.ipv4.ip_local_port_range': '40000 40099',
  'net.ipv4.ip_local_reserved_ports': '',
  'net.ipv4.tcp_tw_reuse': '2',
  'net.ipv4.tcp_timestamps': '1',
};
const use = (inUse: number, timeWait = 0, sysctls: Record<string, string> = {}, source = '10.0.0.1') =>
  judgeOne(ephemeralPorts, {
    net: { sysctls: { ...SYSCTLS, ...sysctls } },
    last: {
      host: { processes: [processOf({ comm: 'client' })] },
      sockets: {
        listeners: [listenerOf({ port: 20_000 }), listenerOf({ port: 40_001 }), listenerOf({ port: 80 })],
        ports: [{ source, destination: '10.0.0.2', destinationPort: 443, inUse, timeWait, pid: 42 }],
      },
    },
  })[0];

test('nearly all ports towards one destination: the process, the tuple, and a wider range with listeners reserved', () => {
  expect(use(96)).toMatchObject({
    status: 'fail',
    subject: { pid: 42, comm: 'client', connection: '10.0.0.1 -> 10.0.0.2:443' },
    summary: '96 of 100 local ports are in use from 10.0.0.1 to 10.0.0.2 port 443 (96 %), 0 of them in TIME_WAIT',
    remedy: {
      commands: [
        'sysctl -w net.ipv4.ip_local_reserved_ports=20000',
        'sysctl -w "net.ipv4.ip_local_port_range=10240 65535"',
      ],
      undo: 'sysctl -w net.ipv4.ip_local_reserved_ports= && sysctl -w "net.ipv4.ip_local_port_range=40000 40099"',
    },
  });
  expect(use(81)?.status).toBe('warn');
  expect(use(80)?.status).toBe('pass');
});

test('reserved ports count as taken; those in TIME_WAIT only where they cannot be taken over', () => {
  expect(use(45, 0, { 'net.ipv4.ip_local_reserved_ports': '40050-40099,9' })?.status).toBe('warn');
  expect(use(90, 85)?.status).toBe('warn');
  expect(use(90, 85, { 'net.ipv4.tcp_tw_reuse': '1' })?.status).toBe('info');
  expect(use(90, 85, { 'net.ipv4.tcp_tw_reuse': '1', 'net.ipv4.tcp_timestamps': '0' })?.status).toBe('warn');
  expect(use(90, 85, {}, '127.0.0.1')?.status).toBe('info');
});

test('a range that is as wide as can be is not narrowed; without the range unknown', () => {
  const wide = use(64_000, 0, { 'net.ipv4.ip_local_port_range': '1024 65535' });
  expect(wide).toMatchObject({ status: 'fail', remedy: { commands: [] } });
  expect(judgeOne(ephemeralPorts, {})[0]?.status).toBe('unknown');
  expect(judgeOne(ephemeralPorts, { net: { sysctls: SYSCTLS } })[0]?.status).toBe('pass');
});
