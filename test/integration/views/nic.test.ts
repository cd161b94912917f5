import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { NicDocument } from '../../../src/model/views/nic.js';
import { BIN, sockdoc } from '../../support/cli.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../support/live.js';
import { expectValid } from '../../support/schemas.js';

async function nic(...args: (string | number)[]): Promise<NicDocument> {
  const { code, stdout, stderr } = await sockdoc(['nic', '--json', ...args.map(String)]);
  expect(code, stderr).toBe(0);
  const document = JSON.parse(stdout);
  await expectValid('nic', document);
  return document;
}

const printed = (ns: Netns, option: string, link: string) =>
  ns.run('sh', '-c', `ethtool ${option} ${link} 2>/dev/null || true`);

test('settings of one interface equal what ethtool, ip and tc print', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ethtool', 'tc');
  await withNetns(async (ns) => {
    await ns.run('ip', ...'link add v0 numtxqueues 4 numrxqueues 4 type veth peer name v1'.split(' '));
    await ns.run('ethtool', '-K', 'v0', 'gro', 'on', 'tso', 'off');
    await ns.run('ip', 'address', 'add', '10.7.0.1/24', 'dev', 'v0');
    for (const name of ['v0', 'v1']) await ns.run('ip', 'link', 'set', name, 'up');
    await ns.run('tc', ...'qdisc replace dev v0 root handle 5: tbf rate 10mbit burst 32kb latency 50ms'.split(' '));
    // The kernel follows with the state and a link-local address in its own time.
    await poll('v0 has settled', async () => {
      const [row] = JSON.parse(await ns.run('ip', '-j', 'address', 'show', 'v0'));
      return row.operstate === 'UP' && row.addr_info.some(({ scope }: { scope: string }) => scope === 'link');
    });
    const { detail, interfaces, windowMs } = await nic('v0', '--netns', ns.name, '--window', 0);
    expect(windowMs).toBe(0);
    const [shown] = JSON.parse(await ns.run('ip', '-j', '-d', 'address', 'show', 'v0'));
    expect(interfaces).toEqual([
      expect.objectContaining({
        name: 'v0',
        netns: ns.name,
        state: shown.operstate.toLowerCase(),
        mtuBytes: shown.mtu,
        qdisc: 'tbf',
        driver: 'veth',
        kind: 'veth',
      }),
    ]);
    expect(interfaces[0]).not.toHaveProperty('rxBps');
    expect(interfaces[0]).not.toHaveProperty('rdma');
    expect(detail?.link.macAddress).toBe(shown.address);
    expect(detail?.addresses.map(({ address }) => address).sort()).toEqual(
      shown.addr_info.map(({ local }: { local: string }) => local).sort(),
    );
    const { channels, features = {}, rings, coalescing, pause, timestamping } = detail?.link ?? {};
    const current = (await printed(ns, '-l', 'v0')).split('Current')[1] ?? '';
    expect(channels).toMatchObject({
      rx: Number(/RX:\s+(\d+)/.exec(current)?.[1]),
      tx: Number(/TX:\s+(\d+)/.exec(current)?.[1]),
    });
    for (const [, key = '', state, fixed] of (await printed(ns, '-k', 'v0')).matchAll(
      /^\s*([\w-]+): (on|off)( \[fixed\])?/gm,
    ))
      if (key in features) expect([key, features[key]]).toEqual([key, { on: state === 'on', changeable: !fixed }]);
    expect(features['tx-tcp-segmentation']?.on).toBe(false);
    // What this driver does not have is absent on both sides.
    for (const [option, value] of [
      ['-g', rings],
      ['-c', coalescing],
      ['-a', pause],
    ] as const)
      expect([option, value === undefined]).toEqual([option, (await printed(ns, option, 'v0')).split('\n').length < 3]);
    expect(timestamping?.hardwareTransmit).toBe((await printed(ns, '-T', 'v0')).includes('hardware-transmit'));
    const [root] = JSON.parse(await ns.run('tc', '-j', '-s', 'qdisc', 'show', 'dev', 'v0'));
    expect(detail?.qdiscs[0]).toMatchObject({ kind: root.kind, handle: root.handle, parent: 'root' });
  });
});

test("rings, coalescing and queues of this machine's own cards equal ethtool's", async (ctx) => {
  requireTool(ctx, 'ethtool');
  const { interfaces } = await nic('--window', 0);
  const withRings: string[] = [];
  for (const { name } of interfaces) {
    const run = async (option: string) => (await execa('ethtool', [option, name], { reject: false })).stdout;
    const { detail } = await nic(name, '--window', 0);
    const current = (text: string) => text.split(/Current hardware settings:/)[1] ?? '';
    const number = (text: string, key: string) => {
      const found = new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1];
      return found === undefined ? undefined : Number(found);
    };
    const rings = current(await run('-g'));
    expect(detail?.link.rings?.rx).toBe(number(rings, 'RX'));
    expect(detail?.link.rings?.tx).toBe(number(rings, 'TX'));
    expect(detail?.link.channels?.combined).toBe(number(current(await run('-l')), 'Combined'));
    const coalescing = await run('-c');
    expect(detail?.link.coalescing?.rxUsecs).toBe(number(coalescing, 'rx-usecs'));
    expect(detail?.link.coalescing?.rxFrames).toBe(number(coalescing, 'rx-frames'));
    const hash = /^\s+(\w+): on$/m.exec((await run('-x')).split('RSS hash function:')[1] ?? '')?.[1];
    expect(detail?.link.rss?.hashFunction).toBe(hash);
    if (rings !== '') withRings.push(name);
    const received = (detail?.queues ?? []).filter(
      ({ direction, packets }) => direction === 'rx' && packets !== undefined,
    );
    if (detail?.link.driver !== 'virtio_net' || received.length === 0) continue;
    // Read in the same moment, and a packet may come in between.
    const all = detail.counters.find((counter) => counter.name === 'rx_packets')?.total ?? 0;
    const sum = received.reduce((total, { packets = 0 }) => total + packets, 0);
    expect(Math.abs(sum - all)).toBeLessThanOrEqual(Math.max(50, all * 0.01));
  }
  if (withRings.length === 0) ctx.skip('no card here has rings to compare');
});

test('rates of a known stream through a veth, and the drops of its qdisc', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'tc', 'iperf3');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await ns.run('ethtool', '-K', 'veth', 'gso', 'off', 'tso', 'off', 'tx-udp-segmentation', 'off');
    const server = execa('ip', ['netns', 'exec', peer.name, 'iperf3', '-s', '-1'], { reject: false });
    try {
      await poll('iperf3 listens', async () => (await peer.run('ss', '-Htln')).includes(':5201'));
      const client = execa(
        'ip',
        ['netns', 'exec', ns.name, 'iperf3', ...'-c 10.99.0.2 -u -b 24M -l 1200 -t 5 -J'.split(' ')],
        { reject: false },
      );
      const sent = async () => Number(await ns.run('cat', '/sys/class/net/veth/statistics/tx_packets'));
      await poll('the stream runs', async () => (await sent()) > 500);
      const document = await nic('--netns', ns.name, '--window', 2500);
      const [row] = document.interfaces.filter(({ name }) => name === 'veth');
      // 2,500 datagrams a second of 1,200 bytes, with UDP, IP and Ethernet headers.
      const expected = (24e6 * (1200 + 8 + 20 + 14)) / 1200;
      expect(row?.txBps).toBeGreaterThan(expected * 0.9);
      expect(row?.txBps).toBeLessThan(expected * 1.1);
      expect(row?.txPacketsPerS).toBeGreaterThan(2250);
      expect(row?.txPacketsPerS).toBeLessThan(2750);
      expect(row?.rxBps ?? Number.NaN).toBeLessThan(expected * 0.1);
      expect(row).toMatchObject({ txDropsPerS: 0, errorsPerS: 0 });

      await ns.run('tc', ...'qdisc replace dev veth root tbf rate 8mbit burst 8kb limit 8kb'.split(' '));
      const shaped = (await nic('veth', '--netns', ns.name, '--window', 800)).detail;
      const [tbf] = shaped?.qdiscs ?? [];
      expect(tbf?.dropsPerS).toBeGreaterThan(500);
      expect(tbf?.bps).toBeLessThan(8e6 * 1.2);
      const queued = shaped?.queues.length ?? 0;
      expect(queued, 'veth counts by queue').toBeGreaterThan(0);
      client.kill('SIGKILL');
      await client;
    } finally {
      server.kill('SIGKILL');
      await server;
    }
  });
});

test('interrupts of a card are those of /proc/interrupts, with their CPUs', async (ctx) => {
  const { interfaces } = await nic('--window', 0);
  const documents = await Promise.all(interfaces.map(({ name }) => nic(name, '--window', 200)));
  const irqs = documents.flatMap(({ detail }) => detail?.irqs ?? []);
  if (irqs.length === 0) ctx.skip('no card here has interrupts of its own');
  const { stdout } = await execa('cat', ['/proc/interrupts']);
  for (const { irq, name, affinity, perS } of irqs) {
    expect(stdout).toMatch(new RegExp(`^\\s*${irq}:.*${name}$`, 'm'));
    expect(affinity).toBe((await execa('cat', [`/proc/irq/${irq}/smp_affinity_list`])).stdout);
    expect(perS).toBeGreaterThanOrEqual(0);
  }
});

test('errors say which interfaces there are, and --netns needs its privilege', async (ctx) => {
  const wrong = await sockdoc(['nic', 'loo']);
  expect([wrong.code, wrong.stderr]).toEqual([4, expect.stringContaining('Did you mean: lo')]);
  const json = await sockdoc(['nic', 'nothing0', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ command: 'nic', error: { code: 4, kind: 'not-possible' } });
  expect((await sockdoc(['nic', '--window', 'x'])).code).toBe(2);
  requireRoot(ctx);
  requireTool(ctx, 'setpriv');
  await withNetns(async (ns) => {
    const user = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, BIN, 'nic', '--json'];
    const denied = await execa('setpriv', [...user, '--netns', ns.name], { reject: false });
    expect([denied.exitCode, denied.stdout]).toEqual([3, expect.stringContaining('CAP_SYS_ADMIN')]);
    const own = await execa('setpriv', [...user, 'lo', '--window', '0'], { reject: false });
    expect(JSON.parse(own.stdout)).toMatchObject({ interfaces: [{ name: 'lo' }], detail: { link: { name: 'lo' } } });
  });
});

test.each([60, 200])('fits %i columns', async (columns) => {
  for (const args of [['nic'], ['nic', 'lo']]) {
    const { code, stdout } = await sockdoc([...args, '--window', '0'], { env: { COLUMNS: String(columns) } });
    expect(code).toBe(0);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(stdout).toContain('lo');
  }
});
