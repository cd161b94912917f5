import { expect, test } from 'vitest';
import { netSysctls } from '../../../../src/probes/netns/sysctls.js';
import { sysctlName, sysctlPath } from '../../../../src/probes/sysctl-names.js';
import { foundOf } from '../../../support/found.js';

test('names of interfaces keep their dots, as sysctl(8) writes them', () => {
  const path = '/proc/sys/net/ipv4/conf/eth0.100/rp_filter';
  expect(sysctlName(path)).toBe('net.ipv4.conf.eth0/100.rp_filter');
  expect(sysctlPath('net.ipv4.conf.eth0/100.rp_filter')).toBe(path);
});

test('values are one line; secrets stay out', () => {
  const found = foundOf({
    files: {
      '/proc/sys/net/ipv4/tcp_rmem': '4096\t131072\t6291456\n',
      '/proc/sys/net/ipv4/tcp_fastopen_key': '1-2-3-4\n',
      '/proc/sys/net/ipv6/conf/all/stable_secret': '::1\n',
      '/proc/sys/net/core/netdev_rss_key': 'aa:bb\n',
    },
  });
  expect(netSysctls.parse(found)).toEqual({ 'net.ipv4.tcp_rmem': '4096 131072 6291456' });
  expect(found.gaps).toEqual([]);
});

test('no sysctl at all is a gap', () => {
  const found = foundOf({ errors: { '/proc/sys/net': 'EACCES' } });
  expect(netSysctls.parse(found)).toEqual({});
  expect(found.gaps).toMatchObject([{ what: '/proc/sys/net', reason: 'permission denied' }]);
});
