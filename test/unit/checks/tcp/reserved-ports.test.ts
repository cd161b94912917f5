import { expect, test } from 'vitest';
import { reservedPorts } from '../../../../src/checks/tcp/reserved-ports.js';
import { judgeOne } from '../../../support/judge.js';
import { listenerOf } from '../../../support/snapshot.js';

const over = (ports: number[], reserved = '') =>
  judgeOne(reservedPorts, {
    net: {
      sysctls: { 'net.ipv4.ip_local_port_range': '32768 60999', 'net.ipv4.ip_local_reserved_ports': reserved },
    },
    last: { sockets: { listeners: ports.map((port) => listenerOf({ port, local: `0.0.0.0:${port}` })) } },
  })[0];

test('listeners inside the range are info, with one command that keeps what is reserved', () => {
  expect(over([80, 40_000], '50000-50010')).toMatchObject({
    status: 'info',
    subject: { listener: '0.0.0.0:40000', key: 'net.ipv4.ip_local_reserved_ports' },
    remedy: {
      commands: ['sysctl -w net.ipv4.ip_local_reserved_ports=50000-50010,40000'],
      undo: 'sysctl -w net.ipv4.ip_local_reserved_ports=50000-50010',
    },
  });
  expect(over([40_002, 40_001, 40_001])?.summary).toBe(
    '3 listeners inside the range of outgoing ports are not reserved: ports 40001, 40002',
  );
});

test('outside or reserved passes', () => {
  expect(over([80, 61_000])?.status).toBe('pass');
  expect(over([40_000], '39999-40001')?.status).toBe('pass');
  expect(judgeOne(reservedPorts, {})[0]?.status).toBe('unknown');
});
