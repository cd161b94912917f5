import { expect, test } from 'vitest';
import { localTraffic } from '../../../../src/checks/host/local-traffic.js';
import { judgeOne } from '../../../support/judge.js';

const run = (bytes: number, segments: number, self: number[] = []) =>
  judgeOne(localTraffic, {
    first: {},
    last: {
      sockets: {
        localPairs: [
          {
            client: { pid: 50, comm: 'client' },
            server: { pid: 42, comm: 'server', port: 6379 },
            ...{ connections: 2, bytes, segments, windowMs: 2000 },
          },
        ],
      },
    },
    snapshot: { self },
  })[0];

test('much traffic within the host is info, by bytes or by messages', () => {
  const result = run(3 * 2 ** 20, 5000);
  expect(result).toMatchObject({
    status: 'info',
    subject: { pid: 42, comm: 'server' },
    summary:
      'client (pid 50) and server (pid 42) on port 6379 moved 1.5 MiB and 2500 data segments a second over 2 connections',
  });
  expect(result?.remedy?.summary).toContain('candidate for the user-space sockets');
  expect(result?.remedy?.commands).toEqual([]);
  expect(run(40_000_000, 900)?.status).toBe('info');
});

test('a little traffic passes; sockdoc itself, nobody, and one reading are not judged', () => {
  expect(run(2000, 20)?.status).toBe('pass');
  expect(run(40_000_000, 9000, [50])?.status).toBe('not-applicable');
  expect(judgeOne(localTraffic, { first: {} })[0]?.status).toBe('not-applicable');
  expect(judgeOne(localTraffic, {})[0]?.status).toBe('not-applicable');
});
