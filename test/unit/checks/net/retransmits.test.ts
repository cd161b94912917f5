import { expect, test } from 'vitest';
import { retransmits } from '../../../../src/checks/net/retransmits.js';
import { judgeOne } from '../../../support/judge.js';
import { connectionOf, processOf } from '../../../support/snapshot.js';

const counters = (sent: number, repeated: number, syn = 0, timeouts = 0) => ({
  counters: {
    TcpOutSegs: sent,
    TcpRetransSegs: repeated,
    TcpExtTCPSynRetrans: syn,
    TcpExtTCPTimeouts: timeouts,
    TcpExtTCPLostRetransmit: 0,
  },
});
const losing = (count: number, minRttUs = 20_000) =>
  connectionOf({ picked: ['retransmits'], minRttUs, window: { ms: 1000, retransmits: count } });

test('above one per cent is a warning that names the connection, above five a failure', () => {
  const parts = (repeated: number) => ({
    first: { net: counters(1000, 10) },
    last: {
      net: counters(2000, 10 + repeated, 0, 3),
      sockets: { connections: [losing(repeated)] },
      host: { processes: [processOf()] },
    },
  });
  const [warned] = judgeOne(retransmits, parts(20));
  expect(warned).toMatchObject({
    status: 'warn',
    subject: { pid: 42, comm: 'server', connection: '10.0.0.1:8080 -> 10.0.0.2:40000' },
  });
  expect(warned?.summary).toContain('20 of 1000 segments were retransmitted within the window (2.00 %)');
  expect(warned?.evidence).toContainEqual({
    source: '/proc/net/snmp',
    key: 'TcpRetransSegs',
    value: 20,
    unit: '1',
    scope: 'window',
  });
  expect(judgeOne(retransmits, parts(60))[0]?.status).toBe('fail');
  expect(judgeOne(retransmits, parts(9))[0]?.status).toBe('pass');
});

test('a path that stays on the site is held to a tenth', () => {
  const parts = (minRttUs: number) => ({
    first: { net: counters(0, 0) },
    last: { net: counters(2000, 8), sockets: { connections: [losing(8, minRttUs)] } },
  });
  expect(judgeOne(retransmits, parts(100))[0]?.status).toBe('warn');
  expect(judgeOne(retransmits, parts(30_000))[0]?.status).toBe('pass');
});

test('few segments, few repeats and repeated SYN-ACKs are no ratio', () => {
  const of = (sent: number, repeated: number, syn = 0) =>
    judgeOne(retransmits, { first: { net: counters(0, 0) }, last: { net: counters(sent, repeated, syn) } });
  expect(of(50, 6)[0]?.status).toBe('pass');
  expect(of(300, 4)[0]?.status).toBe('pass');
  expect(of(1000, 200, 200)).toMatchObject([{ status: 'pass' }]);
});

test('a SYN of ours that nobody answers is a warning of its own', () => {
  const dialing = connectionOf({ state: 'syn-sent', remote: '192.0.2.1:80', window: { ms: 1000, retransmits: 2 } });
  const results = judgeOne(retransmits, {
    first: { net: counters(100, 0) },
    last: { net: counters(101, 2, 2), sockets: { connections: [dialing] }, host: { processes: [processOf()] } },
  });
  expect(results.map((r) => r.status)).toEqual(['warn', 'pass']);
  expect(results[0]).toMatchObject({ subject: { pid: 42, connection: '10.0.0.1:8080 -> 192.0.2.1:80' } });
});

test('loss since boot alone is for information; one reading or no counters cannot be judged', () => {
  const same = counters(50_000, 2000);
  expect(judgeOne(retransmits, { first: { net: same }, last: { net: same } })[0]?.status).toBe('info');
  expect(judgeOne(retransmits, { last: { net: same } })[0]?.status).toBe('not-applicable');
  expect(judgeOne(retransmits, {})[0]?.status).toBe('unknown');
});
