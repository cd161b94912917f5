import { expect, test } from 'vitest';
import { twReuse } from '../../../../src/checks/tcp/tw-reuse.js';
import { judgeOne } from '../../../support/judge.js';

const over = (reuse: string, timestamps = '1', inUse = 10, kernel = '6.18.0') =>
  judgeOne(twReuse, {
    host: { kernel },
    net: {
      sysctls: {
        'net.ipv4.tcp_tw_reuse': reuse,
        'net.ipv4.tcp_timestamps': timestamps,
        'net.ipv4.ip_local_port_range': '40000 40099',
      },
    },
    last: {
      sockets: { ports: [{ source: 'a', destination: 'b', destinationPort: 1, inUse, timeWait: 0 }] },
    },
  })[0];

test('on without timestamps or without need is info; never more', () => {
  expect(over('1', '0')).toMatchObject({ status: 'info', summary: expect.stringContaining('no effect') });
  expect(over('1')).toMatchObject({
    status: 'info',
    remedy: { tunes: [{ key: 'net.ipv4.tcp_tw_reuse', from: '1', to: '2' }] },
  });
  expect(over('1', '1', 10, '4.18.0-553.el8')?.remedy?.tunes[0]?.to).toBe('0');
});

test('with need, by default and off it passes', () => {
  expect(over('1', '1', 60)?.status).toBe('pass');
  expect(over('2')?.status).toBe('pass');
  expect(over('0')?.status).toBe('pass');
  expect(judgeOne(twReuse, {})[0]?.status).toBe('unknown');
});
