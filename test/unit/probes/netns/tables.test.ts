import { expect, test } from 'vitest';
import { conntrack } from '../../../../src/probes/netns/conntrack.js';
import { neighbours } from '../../../../src/probes/netns/neighbours.js';
import { parseSockstat } from '../../../../src/probes/netns/sockstat.js';
import { parseStatistics } from '../../../../src/probes/netns/statistics.js';
import { foundOf } from '../../../support/found.js';

test('sockstat gives protocol and name', () => {
  expect(
    parseSockstat('sockets: used 35\nTCP: inuse 1 orphan 0 tw 2 alloc 1 mem 187\nFRAG: inuse 0 memory 0\n'),
  ).toEqual({
    'sockets.used': 35,
    'TCP.inuse': 1,
    'TCP.orphan': 0,
    'TCP.tw': 2,
    'TCP.alloc': 1,
    'TCP.mem': 187,
    'FRAG.inuse': 0,
    'FRAG.memory': 0,
  });
});

const STAT =
  'entries  clashres found drop\n0000000a  00000001 00000000 0000000f\n0000000a  00000002 00000000 00000001\n';

test('statistics are hexadecimal and summed, the number of entries is the same on each row', () => {
  expect(parseStatistics(STAT)).toEqual({ entries: 10, sums: { clashres: 3, found: 0, drop: 16 } });
  expect(parseStatistics('')).toEqual({ entries: undefined, sums: {} });
});

const SYSCTLS = {
  '/proc/sys/net/netfilter/nf_conntrack_count': '7\n',
  '/proc/sys/net/netfilter/nf_conntrack_max': '100\n',
};
const CONNTRACK = '/proc/thread-self/net/stat/nf_conntrack';

test('conntrack is absent where nothing is tracked, and whole with its statistics', () => {
  expect(conntrack.parse(foundOf({}))).toBeUndefined();
  const found = foundOf({ files: { ...SYSCTLS, [CONNTRACK]: STAT } });
  expect(conntrack.parse(found)).toEqual({ count: 7, max: 100, statistics: { clashres: 3, found: 0, drop: 16 } });
  expect(found.gaps).toEqual([]);
});

test('statistics that may not be read are a gap beside the count', () => {
  const found = foundOf({ files: SYSCTLS, errors: { [CONNTRACK]: 'EACCES' } });
  expect(conntrack.parse(found)).toEqual({ count: 7, max: 100, statistics: {} });
  expect(found.gaps).toMatchObject([{ what: CONNTRACK, reason: 'permission denied' }]);
});

test('neighbour tables: the initial namespace shows them with a threshold, others do not', () => {
  const table = 'entries  allocs table_fulls\n00000002 00000004 00000001\n00000002 00000000 00000002\n';
  const files = {
    '/proc/thread-self/net/stat/arp_cache': table,
    '/proc/sys/net/ipv4/neigh/default/gc_thresh3': '1024\n',
  };
  expect(neighbours.parse(foundOf({ files }))).toMatchObject([
    { family: 'inet', entries: 2, threshold3: 1024, statistics: { allocs: 4, table_fulls: 3 } },
  ]);
  const elsewhere = foundOf({ errors: { '/proc/thread-self/net/stat/arp_cache': 'ENOENT' } });
  expect(neighbours.parse(elsewhere)).toEqual([]);
  expect(elsewhere.gaps.filter((gap) => gap.reason !== 'not there')).toEqual([]);
});
