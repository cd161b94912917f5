import { expect, test } from 'vitest';
import { gidAddress, gidReach } from '../../../../src/checks/rdma/gid.js';
import { rdmaStack } from '../../../../src/checks/rdma/rdma-stack.js';
import { rdmaVerdict } from '../../../../src/checks/rdma/rdma-verdict.js';
import { rdmaVerdicts } from '../../../../src/checks/rdma/verdict.js';
import type { Rdma } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { rdmaDeviceOf, rdmaOf, rdmaPortOf } from '../../../support/links.js';

const gid = (text: string, type = 'RoCE v2', index = 0) => ({ index, gid: text, type });
const V4 = '0000:0000:0000:0000:0000:ffff:0a00:0001';
const LINK_LOCAL = 'fe80:0000:0000:0000:0e42:a1ff:fe7c:9a1e';

const verdict = (rdma: Rdma) => {
  const [only, ...others] = rdmaVerdicts(rdma);
  expect(others).toEqual([]);
  return only;
};
const none = (stack: Partial<Rdma['stack']> = {}) =>
  rdmaOf([], { sysfsClass: false, netlink: false, deviceNodes: [], ...stack });

test('GIDs by what they reach', () => {
  expect(gidReach(V4)).toBe('ipv4');
  expect(gidAddress(V4)).toBe('10.0.0.1');
  expect(gidReach(LINK_LOCAL)).toBe('link-local');
  expect(gidReach('2001:0db8:0000:0000:0000:0000:0000:0001')).toBe('ipv6');
  expect(gidReach('fd00:0000:0000:0000:0000:0000:0000:0001')).toBe('ipv6');
  expect(gidReach('0000:0000:0000:0000:0000:ffff:a9fe:0101')).toBe('link-local'); // 169.254.1.1
  expect(gidReach('0000:0000:0000:0000:0000:ffff:7f00:0001')).toBe('other');
  expect(gidReach('ff02:0000:0000:0000:0000:0000:0000:0001')).toBe('other');
  expect(gidReach('0000:0000:0000:0000:0000:0000:0000:0001')).toBe('other');
  expect(gidReach('nonsense')).toBe('other');
});

test('no RDMA NIC, and what this kernel has instead', () => {
  expect(verdict(none())).toMatchObject({
    able: false,
    reason: 'no-hardware',
    sentence: 'No: there is no RDMA NIC on this host, and this kernel has neither soft-RoCE (rxe) nor soft-iWARP (siw)',
  });
  expect(verdict(none({ softwareProviders: [] }))?.sentence).toBe(
    'No: there is no RDMA NIC on this host, and whether this kernel has soft-RoCE (rxe) or soft-iWARP (siw) could not be read',
  );
  const soft = verdict(
    none({
      softwareProviders: [
        { name: 'rxe', available: 'module' },
        { name: 'siw', available: 'loaded' },
      ],
    }),
  );
  expect(soft?.sentence).toBe(
    'No: there is no RDMA NIC on this host, but on this kernel soft-RoCE (rxe) can be loaded and soft-iWARP (siw) is loaded, over any Ethernet card',
  );
  expect(soft?.next?.commands).toEqual(['modprobe rdma_rxe', 'rdma link add rxe0 type rxe netdev IFACE']);
});

test('a NIC without its RDMA driver', () => {
  const capableHardware = [
    { bus: '0000:3b:00.0', vendor: '15b3', device: '101d', driver: 'mlx5_core', wants: 'mlx5_ib' },
  ];
  expect(verdict(none({ capableHardware }))).toMatchObject({
    reason: 'no-driver',
    sentence: 'No: the NIC at 0000:3b:00.0 can do RDMA (15b3:101d), but its RDMA driver mlx5_ib is not loaded',
    next: { commands: ['modprobe mlx5_ib'] },
  });
});

test('a device that programs cannot get at: nodes, permission, provider', () => {
  expect(verdict(rdmaOf(undefined, { deviceNodes: ['rdma_cm'] }))).toMatchObject({
    reason: 'no-device-nodes',
    device: 'mlx5_0',
    interface: 'eth0',
  });
  expect(verdict(rdmaOf(undefined, { deviceNodesReadable: false }))).toMatchObject({ reason: 'no-permission' });
  expect(verdict(rdmaOf(undefined, { verbsDevices: 0 }))).toMatchObject({
    reason: 'no-provider',
    sentence: 'No: libibverbs has no user-space provider for the device',
  });
  const { verbsLibrary: _, ...bare } = rdmaOf().stack;
  expect(
    verdict({ stack: { ...bare, verbsError: 'libibverbs.so.1: not found' }, devices: [rdmaDeviceOf()] }),
  ).toMatchObject({
    reason: 'no-provider',
    sentence: 'No: there is no libibverbs for programs to use (libibverbs.so.1: not found)',
  });
});

test('a port that is down', () => {
  const down = rdmaDeviceOf({ ports: [rdmaPortOf({ state: 'DOWN', physicalState: 'Disabled', gids: [] })] });
  expect(verdict(rdmaOf([down]))).toMatchObject({
    reason: 'port-down',
    sentence: 'No: port 1 of mlx5_0 is DOWN (Disabled)',
    next: { commands: ['ip link set eth0 up'] },
  });
});

test('GIDs: routable RoCE v2 is able; link-local, v1 or none are not', () => {
  const withGids = (gids: ReturnType<typeof gid>[]) =>
    verdict(rdmaOf([rdmaDeviceOf({ ports: [rdmaPortOf({ gids })] })]));
  expect(withGids([gid(LINK_LOCAL), gid(V4, 'RoCE v2', 3)])).toMatchObject({
    able: true,
    sentence: 'Yes: mlx5_0 can carry sockets over RoCE v2 by 10.0.0.1 at 100 Gbit/s',
  });
  expect(withGids([gid(LINK_LOCAL), gid(V4, 'IB/RoCE v1', 1)])).toMatchObject({
    able: false,
    reason: 'link-local-only',
  });
  expect(withGids([gid(V4, 'IB/RoCE v1')])).toMatchObject({ able: false, reason: 'no-roce-v2-gid' });
  expect(withGids([])).toMatchObject({ able: false, reason: 'no-roce-v2-gid' });
  expect(withGids([gid('2001:0db8:0000:0000:0000:0000:0000:0001')])?.able).toBe(true);
});

test('InfiniBand and iWARP need no RoCE GID; software devices are named as such', () => {
  const infiniband = rdmaDeviceOf({ ports: [rdmaPortOf({ linkLayer: 'InfiniBand', gids: [] })] });
  expect(verdict(rdmaOf([infiniband]))?.sentence).toBe('Yes: mlx5_0 can carry sockets over InfiniBand at 100 Gbit/s');
  const siw = rdmaDeviceOf({ name: 'siw0', driver: 'siw', nodeType: '4: RNIC', ports: [rdmaPortOf({ gids: [] })] });
  expect(verdict(rdmaOf([siw]))?.sentence).toContain('over iWARP at 100 Gbit/s (in software');
  const rxe = rdmaDeviceOf({ name: 'rxe0', driver: 'rxe' });
  expect(verdict(rdmaOf([rxe]))?.sentence).toContain('(in software: it proves function, not speed)');
});

test('the second port and the second device have verdicts of their own', () => {
  const second = rdmaDeviceOf({ ports: [rdmaPortOf({ state: 'DOWN' }), rdmaPortOf({ port: 2 })] });
  expect(verdict(rdmaOf([second]))?.able).toBe(true);
  const two = rdmaVerdicts(
    rdmaOf([rdmaDeviceOf(), rdmaDeviceOf({ name: 'mlx5_1', ports: [rdmaPortOf({ state: 'DOWN' })] })]),
  );
  expect(two.map(({ device, reason }) => [device, reason])).toEqual([
    ['mlx5_0', 'able'],
    ['mlx5_1', 'port-down'],
  ]);
});

test('the checks: able passes, missing parts are info, no card is not applicable, unread is unknown', () => {
  const status = (rdma?: Rdma) =>
    [rdmaVerdict, rdmaStack].map((check) => judgeOne(check, rdma ? { host: { rdma } } : {})[0]?.status);
  expect(status(rdmaOf())).toEqual(['pass', 'pass']);
  expect(status(rdmaOf(undefined, { deviceNodes: [] }))).toEqual(['info', 'info']);
  expect(status(rdmaOf([rdmaDeviceOf({ ports: [rdmaPortOf({ gids: [] })] })]))).toEqual(['info', 'pass']);
  expect(status(none())).toEqual(['not-applicable', 'not-applicable']);
  expect(status(none({ softwareProviders: [{ name: 'rxe', available: 'module' }] }))).toEqual([
    'info',
    'not-applicable',
  ]);
  expect(status()).toEqual(['unknown', 'unknown']);
  expect(judgeOne(rdmaVerdict, { host: { rdma: rdmaOf() } })[0]).toMatchObject({
    subject: { device: 'mlx5_0', interface: 'eth0' },
    evidence: expect.arrayContaining([{ source: 'verdict', key: 'reason', value: 'able', unit: '' }]),
  });
});
