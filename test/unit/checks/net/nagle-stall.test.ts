import { expect, test } from 'vitest';
import { nagleStall } from '../../../../src/checks/net/nagle-stall.js';
import type { Connection, ConnectionWindow } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf, processOf } from '../../../support/snapshot.js';

const window: ConnectionWindow = {
  ms: 1000,
  bytesSent: 1000,
  dataSegmentsOut: 46,
  dataSegmentsIn: 23,
  busyUs: 960_000,
  retransmits: 0,
};
const judged = (parts: Partial<Connection> = {}, moved: Partial<ConnectionWindow> = {}) =>
  judgeOne(nagleStall, {
    first: {},
    last: {
      host: { processes: [processOf()] },
      sockets: {
        connections: [
          connectionOf({
            picked: ['small-unacked'],
            options: { noDelay: false },
            minRttUs: 40,
            mssBytes: 1448,
            window: { ...window, ...moved },
            ...parts,
          }),
        ],
      },
    },
  })[0];

test('small segments in both directions that wait for an ACK each time', () => {
  expect(judged()).toMatchObject({
    status: 'warn',
    subject: { pid: 42, comm: 'server', fd: 4, connection: '10.0.0.1:8080 -> 10.0.0.2:40000' },
  });
});

test('what looks alike and is not', () => {
  expect(judged({ options: { noDelay: true } })?.status).toBe('pass');
  expect(judged({ options: {} })?.status).toBe('unknown');
  expect(judged({ minRttUs: 45_000 })?.status).toBe('pass');
  expect(judged({}, { dataSegmentsIn: 0 })?.status).toBe('pass');
  expect(judged({}, { retransmits: 2 })?.status).toBe('pass');
  expect(judged({}, { busyUs: 20_000 })?.status).toBe('pass');
  expect(judged({}, { dataSegmentsOut: 4600, bytesSent: 100_000 })?.status).toBe('pass');
  expect(judged({}, { bytesSent: 46 * 1448 })?.status).toBe('pass');
  expect(judged({}, { sendBufferLimitedUs: 100 })?.status).toBe('pass');
  expect(judgeOne(nagleStall, {})[0]?.status).toBe('not-applicable');
});
