import { expect, test } from 'vitest';
import type { Check } from '../../../../src/checks/check.js';
import { rdmaFabric } from '../../../../src/checks/rdma/rdma-fabric.js';
import { rdmaFeatures } from '../../../../src/checks/rdma/rdma-features.js';
import { rdmaGid } from '../../../../src/checks/rdma/rdma-gid.js';
import { rdmaMaxima } from '../../../../src/checks/rdma/rdma-maxima.js';
import { rdmaMemlock } from '../../../../src/checks/rdma/rdma-memlock.js';
import { rdmaMtu } from '../../../../src/checks/rdma/rdma-mtu.js';
import { rdmaPort } from '../../../../src/checks/rdma/rdma-port.js';
import type { Profile } from '../../../../src/model/results.js';
import type { Process, RdmaDevice } from '../../../../src/model/snapshot/index.js';
import { judgeOne } from '../../../support/judge.js';
import { linkOf, linkReading, rdmaDeviceOf, rdmaOf, rdmaPortOf } from '../../../support/links.js';
import { processOf } from '../../../support/snapshot.js';

const judge = (check: Check, device: RdmaDevice, profile: Profile = 'general') =>
  judgeOne(check, { host: { rdma: rdmaOf([device]) }, net: { links: [linkOf()] } }, profile)[0];
const used = { qp: 9, cq: 9, mr: 4, pd: 3, cm_id: 2, ctx: 1 };

test('without a device nothing is judged, without a reading nothing is known', () => {
  for (const check of [rdmaPort, rdmaGid, rdmaMtu, rdmaMaxima, rdmaMemlock, rdmaFeatures, rdmaFabric]) {
    expect(judgeOne(check, { host: { rdma: rdmaOf([]) } })[0]?.status).toBe('not-applicable');
    expect(judgeOne(check, {})[0]?.status).toBe('unknown');
  }
});

test('rdma-port: down is a warning for those who use it', () => {
  const ports = [rdmaPortOf({ state: 'DOWN', physicalState: 'Polling' })];
  expect(judge(rdmaPort, rdmaDeviceOf())).toMatchObject({
    status: 'pass',
    summary: 'mlx5_0 port 1 is ACTIVE on Ethernet, 100 Gb/sec (4X EDR)',
    subject: { device: 'mlx5_0', interface: 'eth0' },
  });
  expect(judge(rdmaPort, rdmaDeviceOf({ ports }))?.status).toBe('info');
  expect(judge(rdmaPort, rdmaDeviceOf({ ports, resources: used }))).toMatchObject({
    status: 'warn',
    summary: 'mlx5_0 port 1 is DOWN (Polling) while programs hold the device',
    remedy: { commands: ['ip link set eth0 up'] },
  });
});

test('rdma-gid: by address, never by index', () => {
  expect(judge(rdmaGid, rdmaDeviceOf())?.summary).toBe('mlx5_0 port 1 can be reached by RoCE v2 at 10.0.0.1');
  const gids = [{ index: 1, gid: 'fe80:0000:0000:0000:0e42:a1ff:fe7c:9a1e', type: 'RoCE v2' }];
  expect(judge(rdmaGid, rdmaDeviceOf({ ports: [rdmaPortOf({ gids })] }))?.status).toBe('info');
  expect(judge(rdmaGid, rdmaDeviceOf({ ports: [rdmaPortOf({ gids })], resources: used }))).toMatchObject({
    status: 'warn',
    summary: 'mlx5_0 port 1 has link-local RoCE v2 GIDs only, which fail across subnets',
  });
  expect(judge(rdmaGid, rdmaDeviceOf({ ports: [rdmaPortOf({ linkLayer: 'InfiniBand' })] }))?.status).toBe(
    'not-applicable',
  );
});

test('rdma-mtu: 1024 of 4096 on an interface with 1500', () => {
  const ports = [rdmaPortOf({ activeMtu: 1024 })];
  expect(judge(rdmaMtu, rdmaDeviceOf({ ports }))).toMatchObject({
    status: 'info',
    summary: 'mlx5_0 port 1 sends 1024 bytes in a packet and could send 4096; the MTU of eth0 is 1500',
    remedy: { commands: ['ip link set eth0 mtu 4200'], undo: 'ip link set eth0 mtu 1500' },
  });
  expect(judge(rdmaMtu, rdmaDeviceOf({ ports }), 'throughput')?.status).toBe('warn');
  expect(judge(rdmaMtu, rdmaDeviceOf())?.status).toBe('pass');
  const { activeMtu: _, ...unread } = rdmaPortOf();
  expect(judge(rdmaMtu, rdmaDeviceOf({ ports: [unread] }))?.status).toBe('unknown');
  expect(judge(rdmaMtu, rdmaDeviceOf({ ports: [rdmaPortOf({ state: 'DOWN', activeMtu: 256 })] }))?.status).toBe(
    'not-applicable',
  );
});

test('rdma-maxima: use against the maximum, free queue pairs against connections', () => {
  expect(judge(rdmaMaxima, rdmaDeviceOf({ resources: { qp: 128_000 } }))).toMatchObject({
    status: 'fail',
    summary: 'mlx5_0 has 128000 of 131072 queue pairs in use (98 %)',
  });
  expect(judge(rdmaMaxima, rdmaDeviceOf({ resources: { qp: 110_000 } }))?.status).toBe('warn');
  expect(judge(rdmaMaxima, rdmaDeviceOf())?.status).toBe('pass');
  const { maxima: _, ...blind } = rdmaDeviceOf();
  expect(judge(rdmaMaxima, blind)?.status).toBe('unknown');
  const crowded = judgeOne(rdmaMaxima, {
    host: { rdma: rdmaOf([rdmaDeviceOf()]) },
    last: { sockets: { tcp: { established: 200_000 } } },
  });
  expect(crowded[0]).toMatchObject({
    status: 'info',
    summary: 'mlx5_0 has 131071 queue pairs free, for 200000 TCP connections today',
  });
});

test('rdma-memlock: the limit of the process itself', () => {
  const memlock = (process: Partial<Process>) =>
    judgeOne(rdmaMemlock, {
      host: { rdma: rdmaOf() },
      last: { host: { processes: [processOf({ uid: 1000, tcp: { established: 100 }, ...process })] } },
    })[0];
  expect(memlock({ memlockBytes: 8 << 20 })).toMatchObject({
    status: 'info',
    subject: { pid: 42 },
    summary: 'server (pid 42) may lock 8388608 bytes; its 100 connections would need 52428800',
  });
  expect(memlock({ memlockBytes: 64 << 20 })?.status).toBe('pass');
  expect(memlock({ memlockUnlimited: true })?.status).toBe('pass');
  expect(memlock({ memlockBytes: 8 << 20, uid: 0 })?.status).toBe('pass');
  expect(memlock({ memlockBytes: 8 << 20, tcp: {} })?.status).toBe('pass');
});

test('rdma-features: facts, always a pass', () => {
  expect(judge(rdmaFeatures, rdmaDeviceOf({ numaNode: 1 }))).toMatchObject({
    status: 'pass',
    summary:
      'mlx5_0: atomics: hca, on-demand paging: yes, device memory: 131072 bytes, completion vectors: 8, NUMA node 1',
  });
});

const fabric = (first: Record<string, number>, last: Record<string, number>, pause = [0, 0]) =>
  judgeOne(rdmaFabric, {
    host: { rdma: rdmaOf() },
    first: {
      ...linkReading({}, { rx_prio3_pause: pause[0] ?? 0 }),
      host: { rdmaCounters: [{ device: 'mlx5_0', port: 1, counters: first }] },
    },
    last: {
      ...linkReading({}, { rx_prio3_pause: pause[1] ?? 0 }),
      host: { rdmaCounters: [{ device: 'mlx5_0', port: 1, counters: last }] },
    },
  })[0];

test('rdma-fabric: lost connections fail, repeated packets warn, congestion is info', () => {
  expect(fabric({ retry_exceeded_err: 1 }, { retry_exceeded_err: 3 })).toMatchObject({
    status: 'fail',
    summary: 'mlx5_0 port 1: connections ran out of retries (retry_exceeded_err 2)',
  });
  expect(
    fabric({ out_of_sequence: 4, local_ack_timeout_err: 0 }, { out_of_sequence: 9, local_ack_timeout_err: 1 }),
  ).toMatchObject({
    status: 'warn',
    summary: 'mlx5_0 port 1 lost or repeated packets (out_of_sequence 5, local_ack_timeout_err 1)',
  });
  expect(fabric({ rp_cnp_handled: 0 }, { rp_cnp_handled: 50 })?.status).toBe('info');
  expect(fabric({ port_rcv_data: 0 }, { port_rcv_data: 1 }, [10, 40])).toMatchObject({
    status: 'info',
    summary: 'mlx5_0 port 1: the fabric was congested and slowed senders down (rx_prio3_pause 30)',
  });
});

test('rdma-fabric: old errors are info, traffic passes, no counters are unknown', () => {
  expect(fabric({ packet_seq_err: 4 }, { packet_seq_err: 4 })?.status).toBe('info');
  expect(fabric({ port_rcv_data: 4, packet_seq_err: 0 }, { port_rcv_data: 99, packet_seq_err: 0 })?.status).toBe(
    'pass',
  );
  expect(judgeOne(rdmaFabric, { host: { rdma: rdmaOf() } })[0]?.status).toBe('not-applicable');
  expect(judgeOne(rdmaFabric, { host: { rdma: rdmaOf() }, first: {}, last: {} })[0]?.status).toBe('unknown');
});
