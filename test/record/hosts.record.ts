import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { counted, nftRule } from '../integration/checks/net/support.js';
import { runGuest } from '../support/guest.js';
import { type Netns, poll, runCheck, withNetns } from '../support/live.js';
import { writeHost } from '../support/record.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** `sockdoc check --save` by whoever can run it, and the file that it wrote. */
async function saved(check: (args: string[]) => Promise<unknown>, args: string[] = []): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'sockdoc-record-'));
  try {
    const file = join(folder, 'snapshot.json.gz');
    await check(['--save', file, '--redact', '--fail-on', 'never', ...args]);
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const savedIn = (ns: Netns, args?: string[]) => saved((all) => ns.check(all), args);

test('at-rest', async () => {
  const expected = writeHost('at-rest', await saved((args) => runCheck(args)), {
    description: 'A virtual machine with two CPUs that serves nothing: no finding may be a fail.',
  });
  expect(expected.findings.filter(({ status }) => status === 'fail')).toEqual([]);
});

test('overloaded-listener', () =>
  withNetns(async (ns) => {
    await ns.start('listener.py', '127.0.0.1', 8080, 16);
    const clients = await ns.start('connector.py', '127.0.0.1', 8080, 40);
    const more = setInterval(() => void clients.ask('more 40', 'opened'), 200);
    try {
      const expected = writeHost('overloaded-listener', await savedIn(ns), {
        description: 'A namespace in which a server with a backlog of 16 does not accept while clients connect.',
      });
      expect(expected.findings).toContainEqual(
        expect.objectContaining({
          id: 'listen-overflow',
          status: 'fail',
          subject: expect.objectContaining({ listener: '127.0.0.1:8080' }),
        }),
      );
    } finally {
      clearInterval(more);
    }
  }));

test('lossy-path', () =>
  withNetns(async (ns) => {
    const peer = await ns.peer();
    await nftRule(peer, 'input', 'tcp dport 5000 numgen random mod 100 < 8 drop');
    await ns.run('ethtool', '-K', 'veth', 'tso', 'off', 'gso', 'off');
    await peer.start('sink.py', '0.0.0.0', 5000);
    await ns.start('source.py', '10.99.0.2', 5000, 30_000, 10);
    await counted(ns, 'TcpRetransSegs', 20);
    const expected = writeHost('lossy-path', await savedIn(ns, ['--window', '2000']), {
      description: 'A namespace that sends to another through a path which loses 8 % of the segments.',
    });
    expect(expected.findings.map(({ id }) => id)).toContain('retransmits');
  }));

test('descriptors-used-up', () =>
  withNetns(async (ns) => {
    const full = await ns.start('descriptors.py', 485, 500);
    await ns.start('descriptors.py', 250, 500);
    const expected = writeHost('descriptors-used-up', await savedIn(ns), {
      description: 'A namespace with one process at 97 % of its descriptors, beside one at half of them.',
    });
    expect(expected.findings).toContainEqual(
      expect.objectContaining({ id: 'fd-limit', status: 'fail', subject: expect.objectContaining({ pid: full.pid }) }),
    );
  }));

test('forking-server', () =>
  withNetns(async (ns) => {
    const server = await ns.start('server_kinds.py', 'fork');
    await ns.start('connector.py', '127.0.0.1', server.ready.port, 12);
    await poll(
      'it holds its connections',
      async () =>
        (await ns.run('ss', '-Htn', 'state', 'established', 'sport', '=', `:${server.ready.port}`)).split('\n')
          .length >= 12,
    );
    const expected = writeHost('forking-server', await savedIn(ns), {
      description: 'A namespace with a server that forks a process for each of twelve connections.',
    });
    expect(expected.findings.map(({ id }) => id)).toContain('process-per-connection');
  }));

const guestCheck = (args: string) =>
  `cd ${root} && node bin/run.js check --save /guest/snapshot.json.gz --redact --fail-on never ${args} > /dev/null`;

test('soft-roce', async () => {
  const guest = await runGuest({
    cpus: 2,
    timeoutMs: 400_000,
    script: `for module in crc32_generic ib_core ib_uverbs rdma_rxe; do modprobe $module || exit 1; done
ip addr add 10.9.0.1/24 dev eth0 && ip link set eth0 up && rdma link add rxe0 type rxe netdev eth0 || exit 1
for i in $(seq 100); do rdma link | grep -q ACTIVE && break; sleep 0.1; done
${guestCheck('--window 1000')}`,
  });
  expect(guest.status, guest.stderr).toBe(0);
  const expected = writeHost('soft-roce', guest.read('snapshot.json.gz'), {
    description: 'An emulated guest with a soft-RoCE device (rdma_rxe) on a virtio card, Linux 6.1.',
  });
  expect(expected.findings.filter(({ status }) => status === 'fail')).toEqual([]);
});

test('numa-multi-queue', () =>
  withNetns(async (ns) => {
    await ns.run('ip', 'tuntap', 'add', 'tap0', 'mode', 'tap', 'multi_queue');
    await ns.run('ip', 'link', 'set', 'tap0', 'up');
    const guest = await runGuest({
      cpus: 4,
      numaNodes: 2,
      netns: ns.name,
      nics: [{ backend: 'tap,ifname=tap0,script=no,downscript=no,queues=4', queues: 4 }],
      timeoutMs: 400_000,
      script: `ip addr add 10.9.0.1/24 dev eth0 && ip link set eth0 up || exit 1
ethtool -L eth0 combined 2 || exit 1
${guestCheck('--window 1000 --profile latency')}`,
    });
    expect(guest.status, guest.stderr).toBe(0);
    const expected = writeHost('numa-multi-queue', guest.read('snapshot.json.gz'), {
      description:
        'An emulated guest with four CPUs on two NUMA nodes and a virtio card with two of four queue pairs in use, Linux 6.1.',
      profile: 'latency',
    });
    expect(expected.findings.filter(({ status }) => status === 'fail')).toEqual([]);
  }));
