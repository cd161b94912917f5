import { expect, test } from 'vitest';
import { containerOf, parseContainerNames } from '../../../src/probes/containers.js';
import { cgroupPath, isBelow, isInUnit, parseCgroupPaths, unitName } from '../../../src/probes/process-cgroups.js';

const ID = '0123456789abcdef'.repeat(4);

test('paths of all hierarchies, once each; a path may hold colons', () => {
  expect(parseCgroupPaths('9:name=systemd:/a\n4:memory:/a\n0::/system.slice/x:y.service\n')).toEqual([
    '/a',
    '/system.slice/x:y.service',
  ]);
});

test('units are whole folders of a path', () => {
  expect(unitName('nginx')).toBe('nginx.service');
  expect(unitName('user.slice')).toBe('user.slice');
  expect(isInUnit('/system.slice/nginx.service/worker', 'nginx.service')).toBe(true);
  expect(isInUnit('/system.slice/my-nginx.service', 'nginx.service')).toBe(false);
});

test('a cgroup means itself and what is below', () => {
  expect(isBelow('/a/b', '/a')).toBe(true);
  expect(isBelow('/ab', '/a')).toBe(false);
  expect(isBelow('/a', '/')).toBe(true);
});

test('cgroups may be given as a path below /sys/fs/cgroup', () => {
  expect(cgroupPath('/sys/fs/cgroup/system.slice/a.service/')).toBe('/system.slice/a.service');
  expect(cgroupPath('/sys/fs/cgroup/cpu,cpuacct/docker/x')).toBe('/docker/x');
  expect(cgroupPath('/sys/fs/cgroup/memory')).toBe('/');
  expect(cgroupPath('/sys/fs/cgroup/memory-hogs')).toBe('/memory-hogs');
  expect(cgroupPath('system.slice')).toBe('/system.slice');
});

test('container ids as the engines write them into cgroup names', () => {
  for (const part of [
    ID,
    `docker-${ID}.scope`,
    `cri-containerd-${ID}.scope`,
    `crio-${ID}.scope`,
    `libpod-${ID}.scope`,
    `kubepods-besteffort-pod1.slice:cri-containerd:${ID}`,
  ]) {
    expect(containerOf(part)).toEqual({ id: ID });
  }
  expect(containerOf(`libpod-conmon-${ID}.scope`)).toEqual({});
  expect(containerOf('nginx.service')).toEqual({});
  expect(containerOf('lxc.payload.web')).toEqual({ name: 'web' });
  expect(containerOf('machine-my\\x2dbox.scope')).toEqual({ name: 'my-box' });
});

test('names from the state of Docker, of Podman and of containerd', () => {
  const names = parseContainerNames({
    [`/var/lib/docker/containers/${ID}/config.v2.json`]: JSON.stringify({ ID, Name: '/web' }),
    '/var/lib/containers/storage/overlay-containers/containers.json': JSON.stringify([
      { id: 'p1', names: ['db'] },
      { id: 'p2' },
    ]),
    '/run/containerd/io.containerd.runtime.v2.task/k8s.io/c1/config.json': JSON.stringify({
      annotations: { 'io.kubernetes.cri.container-name': 'web' },
    }),
    '/run/containerd/io.containerd.runtime.v2.task/k8s.io/c2/config.json': '{"annotations": {"io.kub',
  });
  expect(Object.fromEntries(names)).toEqual({ web: [ID, 'c1'], db: ['p1'] });
});
