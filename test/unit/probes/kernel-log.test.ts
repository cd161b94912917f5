import { expect, test } from 'vitest';
import { concernsNetworking } from '../../../src/probes/kernel-log.js';

test.each([
  'nf_conntrack: nf_conntrack: table full, dropping packet',
  'TCP: request_sock_TCP: Possible SYN flooding on port 10.0.0.1:80. Sending cookies.',
  'TCP: out of memory -- consider tuning tcp_mem',
  'TCP: too many orphaned sockets',
  'TCP: too many of orphaned sockets',
  'neighbour: arp_cache: neighbor table overflow!',
  'IPv4: Neighbour table overflow.',
  'NETDEV WATCHDOG: eth0 (e1000e): transmit queue 0 timed out',
  'e1000e 0000:00:19.0 eth0: NIC Link is Down',
  'bond0: (slave eth1): link status definitely down, disabling slave',
  'mlx5_core 0000:01:00.0 enp1s0f0: Link up',
  'swapper/0: page allocation failure: order:0, mode:0x280020(GFP_ATOMIC)',
  'Out of memory: Killed process 1234 (redis-server) total-vm:4194304kB',
  'IPv4: martian source 10.0.0.1 from 192.168.1.1, on dev eth0',
])('keeps %s', (text) => expect(concernsNetworking(text)).toBe(true));

test.each([
  'usb 1-1: new high-speed USB device number 2 using xhci_hcd',
  'EXT4-fs (sda1): mounted filesystem with ordered data mode',
  'audit: type=1400 apparmor="STATUS" operation="profile_load"',
  'IPv6: ADDRCONF(NETDEV_CHANGE): veth0: link becomes ready',
  'br0: port 2(veth1) entered forwarding state',
])('leaves out %s', (text) => expect(concernsNetworking(text)).toBe(false));
