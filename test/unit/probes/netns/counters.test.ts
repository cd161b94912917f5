import { expect, test } from 'vitest';
import { counters, parsePaired, parseSnmp6 } from '../../../../src/probes/netns/counters.js';
import { foundOf } from '../../../support/found.js';

test('names are those of nstat, MPTcp and per-type ICMP among them; values may be negative and large', () => {
  const text = [
    'Tcp: RtoAlgorithm MaxConn RetransSegs',
    'Tcp: 1 -1 42',
    'IcmpMsg: InType3 OutType3',
    'IcmpMsg: 2 3',
    'IpExt: InOctets',
    'IpExt: 9007199254740993',
    'MPTcpExt: MPCapableSYNRX',
    'MPTcpExt: 7',
    '',
  ].join('\n');
  expect(parsePaired(text)).toEqual({
    TcpRtoAlgorithm: 1,
    TcpMaxConn: -1,
    TcpRetransSegs: 42,
    IcmpMsgInType3: 2,
    IcmpMsgOutType3: 3,
    IpExtInOctets: 9007199254740992,
    MPTcpExtMPCapableSYNRX: 7,
  });
});

test('names and values without a partner are left out, and the next protocol is unharmed', () => {
  expect(parsePaired('Tcp: A B C\nTcp: 1 2\nUdp: A\nUdp: 5\nTail: X')).toEqual({ TcpA: 1, TcpB: 2, UdpA: 5 });
});

test('snmp6 has its own prefixes', () => {
  expect(parseSnmp6('Ip6InReceives                   \t3\nUdp6RcvbufErrors \t0\n')).toEqual({
    Ip6InReceives: 3,
    Udp6RcvbufErrors: 0,
  });
});

test('without IPv6 there is no gap; without netstat there is', () => {
  const files = { '/proc/thread-self/net/snmp': 'Udp: InErrors\nUdp: 1\n' };
  const found = foundOf({ files });
  expect(counters.parse(found)).toEqual({ UdpInErrors: 1 });
  expect(found.gaps.map((gap) => gap.what)).toEqual(['/proc/thread-self/net/netstat']);
});
