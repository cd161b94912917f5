import { expect, test } from 'vitest';
import { dropReasons } from '../../../../src/checks/net/drop-reasons.js';
import type { DropCount, Snapshot } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';

const judged = (drops: DropCount[] | undefined, snapshot: Partial<Snapshot> = {}) =>
  judgeOne(dropReasons, { first: {}, last: {}, snapshot: { observed: drops ? { drops } : {}, ...snapshot } });

test('a reason that normal work does not have is a warning with its places', () => {
  const [result, ...rest] = judged([
    { reason: 'SOCKET_RCVBUFF', place: 'udp_queue_rcv_one_skb', count: 40 },
    { reason: 'SOCKET_RCVBUFF', place: 'raw_rcv', count: 2 },
    { reason: 'NO_SOCKET', place: 'tcp_v4_rcv', count: 900 },
  ]);
  expect(rest).toEqual([]);
  expect(result).toMatchObject({
    status: 'warn',
    summary:
      '42 packets dropped within the window: the receive buffer of a socket was full (SOCKET_RCVBUFF in udp_queue_rcv_one_skb, raw_rcv)',
  });
});

test('scans, old data, filters and single packets are normal work', () => {
  const [result] = judged([
    { reason: 'NO_SOCKET', count: 900 },
    { reason: 'TCP_OLD_DATA', count: 20 },
    { reason: 'NETFILTER_DROP', count: 20 },
    { reason: 'NOT_SPECIFIED', count: 20 },
    { reason: '#77', count: 20 },
    { reason: 'UDP_CSUM', count: 1 },
  ]);
  expect(result?.status).toBe('pass');
  expect(result?.evidence[0]).toMatchObject({ key: 'NO_SOCKET', value: 900, scope: 'window' });
  expect(judged([{ reason: 'NEIGH_FAILED', count: 9 }])[0]?.status).toBe('info');
  expect(judged([])[0]?.status).toBe('pass');
});

test('not observed is unknown, and says what it needs', () => {
  const gap = { probe: 'drops', what: 'skb:kfree_skb', reason: 'permission denied', needs: 'CAP_BPF' };
  expect(judged(undefined, { gaps: [gap] })[0]).toMatchObject({
    status: 'unknown',
    summary: 'drops were not observed: permission denied (needs CAP_BPF)',
  });
  expect(judgeOne(dropReasons, {})[0]?.status).toBe('not-applicable');
});
