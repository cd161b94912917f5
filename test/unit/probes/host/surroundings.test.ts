import { expect, test } from 'vitest';
import { containerProbe } from '../../../../src/probes/host/container.js';
import { virtualizationProbe } from '../../../../src/probes/host/virtualization.js';
import type { FilesAnswer } from '../../../../src/probes/native.js';
import { foundOf } from '../../../support/found.js';

const INITIAL = { '/proc/self/ns/pid': 'pid:[4026531836]' };
const INNER = { '/proc/self/ns/pid': 'pid:[4026532300]' };
const container = (parts: Partial<FilesAnswer>, sameRoot = false) => containerProbe(sameRoot).parse(foundOf(parts));

test('containers by what their engine leaves inside', () => {
  expect(container({ links: INNER, paths: ['/.dockerenv'] })).toBe('docker');
  expect(container({ links: INNER, paths: ['/run/.containerenv'] })).toBe('podman');
  expect(container({ links: INNER, files: { '/run/systemd/container': 'lxc\n' } })).toBe('lxc');
  expect(container({ links: INNER, files: { '/proc/1/environ': 'A=1\0container=systemd-nspawn\0' } })).toBe(
    'systemd-nspawn',
  );
  expect(
    container({
      links: INNER,
      files: { '/proc/self/cgroup': '0::/kubepods/burstable/pod1/abc\n' },
      paths: ['/.dockerenv'],
    }),
  ).toBe('kubernetes');
});

test('a PID namespace without a marker is some container', () => {
  expect(container({ links: INNER })).toBe('other');
});

test('the host is none, even a virtual machine made from a container image', () => {
  expect(container({ links: INITIAL })).toBeUndefined();
  expect(container({ links: INITIAL, paths: ['/.dockerenv'] }, true)).toBeUndefined();
});

test('a container in the PID namespace of the host (--pid=host) has another root directory', () => {
  expect(container({ links: INITIAL, paths: ['/.dockerenv'] }, false)).toBe('docker');
});

const virtual = (signature: string | undefined, files: Record<string, string> = {}) =>
  virtualizationProbe(signature).parse(foundOf({ files }));

test('hypervisors by the signature of CPUID, which also tells bare metal', () => {
  expect(virtual('KVMKVMKVM')).toBe('kvm');
  expect(virtual('VMwareVMware')).toBe('vmware');
  expect(virtual('Something New')).toBe('Something New');
  expect(virtual('', { '/sys/class/dmi/id/sys_vendor': 'Amazon EC2\n' })).toBeUndefined();
});

test('without CPUID firmware is asked', () => {
  const arm = { '/sys/class/dmi/id/sys_vendor': 'QEMU\n', '/sys/class/dmi/id/product_name': 'KVM Virtual Machine\n' };
  expect(virtual(undefined, arm)).toBe('kvm');
  expect(virtual(undefined, { '/proc/device-tree/hypervisor/compatible': 'linux,kvm\0' })).toBe('kvm');
  expect(virtual(undefined)).toBeUndefined();
});
