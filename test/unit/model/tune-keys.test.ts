import { describe, expect, it } from 'vitest';
import { settingOf } from '../../../src/model/tune/keys.js';

describe('keys of settings', () => {
  it.each([
    ['net.ipv4.tcp_rmem', { kind: 'sysctl', name: 'net.ipv4.tcp_rmem' }],
    ['net.ipv4.conf.eth0/100.rp_filter', { kind: 'sysctl', name: 'net.ipv4.conf.eth0/100.rp_filter' }],
    ['ethtool:eth0:rings.rx', { kind: 'ethtool', interface: 'eth0', field: 'rings.rx' }],
    ['ethtool:eth0:1:rings.rx', { kind: 'ethtool', interface: 'eth0:1', field: 'rings.rx' }],
    [
      '/sys/kernel/mm/transparent_hugepage/enabled',
      { kind: 'sysfs', path: '/sys/kernel/mm/transparent_hugepage/enabled' },
    ],
    ['/proc/irq/24/smp_affinity_list', { kind: 'sysfs', path: '/proc/irq/24/smp_affinity_list' }],
    ['limit:1234:nofile', { kind: 'limit', pid: 1234, resource: 'nofile' }],
  ])('%s', (key, setting) => {
    expect(settingOf(key)).toEqual(setting);
  });

  it.each([
    '/etc/passwd',
    '/sys/../etc/passwd',
    '/proc/sys/net/core/somaxconn',
    '/sys/class/net/..',
    'net..core',
    '.net.core',
    'net.core./../../../etc',
    'net./etc//passwd',
    'limit:0:nofile',
    'limit:12:',
    'ethtool:eth0',
    'dev.cdrom.lock',
    '',
  ])('"%s" names no setting', (key) => {
    expect(settingOf(key)).toBeUndefined();
  });
});
