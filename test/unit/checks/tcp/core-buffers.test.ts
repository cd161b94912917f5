import { expect, test } from 'vitest';
import { coreBuffers } from '../../../../src/checks/tcp/core-buffers.js';
import type { Connection } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf, memoryOf, processOf } from '../../../support/snapshot.js';

const over = (receiveBuffer: number, windowDrops: number, connection: Partial<Connection> = {}) =>
  judgeOne(coreBuffers, {
    net: { sysctls: { 'net.core.rmem_max': '212992', 'net.core.wmem_max': '212992' } },
    first: {},
    last: {
      host: { processes: [processOf({ comm: 'quic' })] },
      sockets: {
        connections: [connectionOf(connection)],
        udp: [
          {
            local: '0.0.0.0:443',
            inode: 1,
            cookie: '1',
            uid: 0,
            pid: 42,
            recvQueueBytes: 0,
            sendQueueBytes: 0,
            windowDrops,
            memory: memoryOf({ receiveBuffer }),
          },
        ],
      },
    },
  })[0];

test('a clamped UDP socket that drops is a warning that raises the cap', () => {
  expect(over(425_984, 12)).toMatchObject({
    status: 'warn',
    subject: { pid: 42, comm: 'quic', listener: '0.0.0.0:443' },
    remedy: { tunes: [{ key: 'net.core.rmem_max', from: '212992', to: '4194304' }] },
  });
});

test('clamped without drops is info; drops with a default buffer are the business of others; else a pass', () => {
  expect(over(425_984, 0)?.status).toBe('info');
  expect(over(212_992, 12)?.status).toBe('pass');
  const tcp = { options: { receiveBufferLocked: true }, memory: memoryOf({ receiveBuffer: 425_984 }) };
  expect(over(212_992, 0, tcp)?.status).toBe('info');
  expect(over(212_992, 0, { memory: memoryOf({ receiveBuffer: 425_984 }) })?.status).toBe('pass');
  expect(judgeOne(coreBuffers, {})[0]?.status).toBe('unknown');
});
