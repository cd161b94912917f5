import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Gap } from '../../../src/model/gap.js';
import type { Rdma, RdmaPortCounters } from '../../../src/model/snapshot/index.js';
import { guestUnavailable, runGuest } from '../../support/guest.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const reason = guestUnavailable();

/** Runs the probe, as whom `prefix` says; root writes the file. */
const probe = (name: string, prefix = '') =>
  `${prefix} node --input-type=module -e "
import { collectRdma, collectRdmaCounters } from '${root}dist/probes/rdma.js';
console.log(JSON.stringify({ ...(await collectRdmaCounters()), ...(await collectRdma()) }));
" > /guest/${name}.json || exit 1`;

interface Probed {
  rdma: Rdma;
  rdmaCounters: RdmaPortCounters[];
  gaps: Gap[];
}

describe.skipIf(reason)(`the RDMA probe in a guest${reason ? ` (skipped: ${reason})` : ''}`, () => {
  test('tells a kernel that could from one that does, and agrees with ibv_devinfo and rdma(8)', async () => {
    const guest = await runGuest({
      timeoutMs: 420_000,
      script: `
${probe('before')}
grep -c '^ib_core ' /proc/modules > /guest/loaded
find /lib/modules/ -name 'siw.ko*' > /guest/siw
for module in crc32_generic ib_core ib_uverbs rdma_rxe; do modprobe $module || exit 1; done
ip addr add 10.9.0.1/24 dev eth0 && ip link set eth0 up || exit 1
rdma link add rxe0 type rxe netdev eth0 || exit 1
for i in $(seq 100); do rdma link | grep -q ACTIVE && break; sleep 0.1; done
${probe('rxe')}
ibv_devinfo -v -d rxe0 > /guest/devinfo
rdma -j resource show > /guest/resources
cat /sys/class/infiniband/rxe0/ports/1/gids/1 > /guest/gid
chmod 000 /dev/infiniband/uverbs0
${probe('denied', 'setpriv --reuid 65534 --regid 65534 --clear-groups')}
rdma link delete rxe0 || exit 1
${probe('deleted')}
`,
    });
    expect(guest.status, guest.stderr).toBe(0);
    const probed = (name: string) => JSON.parse(guest.read(`${name}.json`).toString()) as Probed;

    const before = probed('before');
    expect(before.gaps).toEqual([]);
    expect(before.rdma.devices).toEqual([]);
    expect(before.rdma.stack).toMatchObject({ sysfsClass: false, netlink: false, deviceNodes: [], verbsDevices: 0 });
    expect(before.rdma.stack.softwareProviders).toEqual([
      { name: 'rxe', available: 'module' },
      { name: 'siw', available: guest.read('siw').length > 0 ? 'module' : 'no' },
    ]);
    expect(guest.read('loaded').toString().trim(), 'looking loads no module').toBe('0');

    const { rdma, rdmaCounters, gaps } = probed('rxe');
    expect(gaps).toEqual([]);
    expect(rdma.stack).toMatchObject({
      sysfsClass: true,
      netlink: true,
      deviceNodesReadable: true,
      verbsDevices: 1,
    });
    expect(rdma.stack.softwareProviders[0]).toEqual({ name: 'rxe', available: 'loaded' });
    expect(rdma.stack.deviceNodes).toContain('uverbs0');
    const [device] = rdma.devices;
    expect(device).toMatchObject({ name: 'rxe0', driver: 'rxe', nodeType: 'CA' });

    const devinfo = guest.read('devinfo').toString();
    const printed = (key: string) => new RegExp(`^\\s*${key}:\\s*(\\S+)`, 'm').exec(devinfo)?.[1];
    expect(device?.maxima).toMatchObject({
      maxQp: Number(printed('max_qp')),
      maxQpWr: Number(printed('max_qp_wr')),
      maxSge: Number(printed('max_sge')),
      maxCq: Number(printed('max_cq')),
      maxCqe: Number(printed('max_cqe')),
      maxMr: Number(printed('max_mr')),
      maxMrBytes: Number(printed('max_mr_size')),
      maxPd: Number(printed('max_pd')),
      maxSrq: Number(printed('max_srq')),
      completionVectors: Number(printed('num_comp_vectors')),
      deviceMemoryBytes: 0,
    });
    expect(device?.maxima?.atomics).toBe(/ATOMIC_HCA/.test(devinfo) ? 'hca' : 'none');
    const [port] = device?.ports ?? [];
    expect(port).toMatchObject({ port: 1, state: 'ACTIVE', linkLayer: 'Ethernet', interface: 'eth0' });
    expect(port?.activeMtu).toBe(Number(printed('active_mtu')));
    expect(port?.maxMtu).toBe(Number(printed('max_mtu')));
    const gid = guest.read('gid').toString().trim();
    expect(port?.gids).toContainEqual({ index: 1, gid, type: 'RoCE v2', interface: 'eth0' });
    expect(rdmaCounters[0]?.counters).toHaveProperty('sent_pkts');

    const [resources] = JSON.parse(guest.read('resources').toString()) as Record<string, number>[];
    for (const kind of ['qp', 'cq', 'pd', 'mr', 'ctx'] as const) {
      if (resources?.[kind] !== undefined) expect(device?.resources?.[kind], kind).toBe(resources[kind]);
    }

    const denied = probed('denied');
    expect(denied.rdma.devices[0]?.maxima).toBeUndefined();
    expect(denied.rdma.stack).toMatchObject({ deviceNodesReadable: false, verbsDevices: 1 });
    expect(denied.gaps).toMatchObject([{ probe: 'rdma', what: 'maxima of rxe0', needs: expect.any(String) }]);

    const deleted = probed('deleted');
    expect(deleted.gaps).toEqual([]);
    expect(deleted.rdma.devices).toEqual([]);
    expect(deleted.rdma.stack).toMatchObject({ sysfsClass: true, netlink: true, verbsDevices: 0 });
  }, 430_000);
});
