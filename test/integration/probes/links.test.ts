import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { Link, LinkCounters } from '../../../src/model/snapshot/index.js';
import { collectLinkCounters, collectLinks } from '../../../src/probes/links.js';
import { readLinks } from '../../../src/probes/native.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../support/live.js';

const path = (ns: Netns) => `/run/netns/${ns.name}`;
const json = async (ns: Netns, ...command: string[]) => {
  const [file = '', ...args] = command;
  return JSON.parse(await ns.run(file, ...args));
};
const named = <T extends { name: string }>(rows: readonly T[], name: string): T => {
  const row = rows.find((one) => one.name === name);
  if (!row) throw new Error(`no ${name} among ${rows.map((one) => one.name).join(', ')}`);
  return row;
};

/** veth with several queues, a bridge with a port, a second veth, a TUN device, an ifb, a route of each kind. */
async function build(ns: Netns): Promise<void> {
  const ip = (line: string) => ns.run('ip', ...line.split(' '));
  await ip('link add v0 numtxqueues 4 numrxqueues 4 type veth peer name v1 numtxqueues 2 numrxqueues 2');
  await ip('link add br0 type bridge');
  await ip('link set v1 master br0');
  await ip('link add v2 type veth peer name v3');
  await ip('tuntap add dev tun0 mode tun');
  await ip('link add ifb7 type ifb');
  await ip('link set v0 mtu 9000');
  await ip('link set v0 txqueuelen 500');
  for (const name of ['v0', 'v1', 'br0', 'v2', 'v3']) await ip(`link set ${name} up`);
  await ip('address add 10.1.0.1/24 dev v0');
  await ip('address add 10.1.0.9/32 peer 10.1.7.9 dev v2');
  await ip('address add 2001:db8::1/64 dev v0 nodad');
  await ip('route add default via 10.1.0.254 dev v0 initcwnd 32 congctl reno');
  await ip('route add 10.2.0.0/16 metric 50 nexthop via 10.1.0.253 dev v0 nexthop via 10.1.7.9 dev v2 onlink');
  await ip('-6 route add 2001:db8:1::/48 via 2001:db8::fe dev v0');
  await ip('route add blackhole 10.3.0.0/16');
  await ip('route add 10.4.0.0/16 dev v0 table 100');
  // The kernel follows with states and link-local addresses in its own time.
  await poll('the links have settled', async () => {
    const rows = JSON.parse(await ns.run('ip', '-j', '-6', 'address', 'show', 'up', 'scope', 'link')) as IpLink[];
    return ['v0', 'v1', 'br0', 'v2', 'v3'].every((name) =>
      rows.some((row) => row.ifname === name && row.operstate === 'UP'),
    );
  });
}

interface IpLink {
  ifindex: number;
  ifname: string;
  mtu: number;
  txqlen?: number;
  qdisc: string;
  operstate: string;
  address?: string;
  master?: string;
  link?: string;
  flags: string[];
  max_mtu: number;
  num_tx_queues: number;
  num_rx_queues: number;
  gso_max_size: number;
  linkinfo?: { info_kind?: string };
}

test('links are as ip(8) shows them', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip');
  await withNetns(async (ns) => {
    await build(ns);
    const { links, gaps } = await collectLinks(path(ns));
    expect(gaps).toEqual([]);
    const shown = (await json(ns, 'ip', '-j', '-d', 'link')) as IpLink[];
    expect(links.map((link) => link.name)).toEqual(shown.map((row) => row.ifname));
    for (const row of shown) {
      const link = named(links, row.ifname);
      expect(link).toMatchObject({
        index: row.ifindex,
        mtu: row.mtu,
        up: row.flags.includes('UP'),
        operState: row.operstate.toLowerCase().replace('lowerlayerdown', 'lower-layer-down'),
        qdisc: row.qdisc,
        txQueues: row.num_tx_queues,
        rxQueues: row.num_rx_queues,
        gsoMaxBytes: row.gso_max_size,
      });
      expect(link.transmitQueueLength).toBe(row.txqlen);
      expect(link.macAddress).toBe(row.address);
      expect(link.master).toBe(row.master);
      expect(link.kind).toBe(row.linkinfo?.info_kind);
      expect(link.maxMtu).toBe(row.max_mtu || undefined);
    }
    expect(named(links, 'v0').lower).toBeUndefined();
    expect(named(links, 'v1').master).toBe('br0');
    expect(named(links, 'lo').type).toBe('loopback');
    expect(named(links, 'tun0')).toMatchObject({ kind: 'tun', up: false });
    expect(named(links, 'tun0').carrier).toBeUndefined();
    expect(named(links, 'v0')).toMatchObject({ carrier: true, type: 'ether' });
  });
});

test('addresses and routes are as ip(8) shows them, of the main table and unicast only', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip');
  await withNetns(async (ns) => {
    await build(ns);
    const { addresses, routes } = await collectLinks(path(ns));
    type IpAddress = {
      ifname: string;
      addr_info: { family: string; local: string; prefixlen: number; scope: string }[];
    };
    const shown = ((await json(ns, 'ip', '-j', 'address')) as IpAddress[]).flatMap(({ ifname, addr_info }) =>
      addr_info.map(({ family, local, prefixlen, scope }) => ({
        interface: ifname,
        family,
        address: local,
        prefixLength: prefixlen,
        scope,
      })),
    );
    const order = (rows: object[]) => rows.map((row) => JSON.stringify(row, Object.keys(row).sort())).sort();
    expect(order(addresses)).toEqual(order(shown));

    const v4 = ((await json(ns, 'ip', '-j', 'route')) as { dst: string; type?: string }[]).filter((row) => !row.type);
    const v6 = (await json(ns, 'ip', '-j', '-6', 'route')) as { dst: string }[];
    const of = (family: string) => routes.filter((route) => route.family === family).map((route) => route.destination);
    const full = (dst: string, bits: number) => (dst === 'default' || dst.includes('/') ? dst : `${dst}/${bits}`);
    expect(of('inet').sort()).toEqual(v4.map((row) => full(row.dst, 32)).sort());
    expect(of('inet6').sort()).toEqual(v6.map((row) => full(row.dst, 128)).sort());
    expect(routes.find((route) => route.destination === 'default')).toEqual({
      family: 'inet',
      destination: 'default',
      gateway: '10.1.0.254',
      interface: 'v0',
      congestionControl: 'reno',
      initialCwnd: 32,
    });
    expect(routes.find((route) => route.destination === '10.2.0.0/16')).toMatchObject({ nextHops: 2, metric: 50 });
    expect(routes.find((route) => route.destination === '2001:db8:1::/48')).toMatchObject({
      gateway: '2001:db8::fe',
      interface: 'v0',
    });
  });
});

test('a router with many routes is read up to the limit, with a gap, and the default route is among them', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip');
  await withNetns(async (ns) => {
    await ns.run('ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
    await ns.run('ip', 'link', 'set', 'v0', 'up');
    await ns.run('ip', 'route', 'add', 'default', 'dev', 'v0');
    const lines = Array.from({ length: 1500 }, (_, i) => `route add 10.${i >> 8}.${i & 255}.0/24 dev v0`).join('\n');
    await execa('ip', ['-n', ns.name, '-batch', '-'], { input: lines });
    const { routes, gaps } = await collectLinks(path(ns));
    expect(routes).toHaveLength(1000);
    expect(routes.some((route) => route.destination === 'default')).toBe(true);
    expect(gaps).toContainEqual({ probe: 'links', what: 'routes', reason: 'truncated at 1000' });
  });
});

/** Topics that netlink and ioctl both have, as ethtool(8) prints them; "n/a" and lines of other topics are left out. */
async function ethtool(ns: Netns, option: string, link: string): Promise<string> {
  return ns.run('sh', '-c', `ethtool ${option} ${link} 2>/dev/null || true`);
}

test('ethtool settings are as ethtool(8) shows them, by netlink and by ioctl alike', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ethtool');
  await withNetns(async (ns) => {
    await build(ns);
    await ns.run('ethtool', '-K', 'v0', 'tso', 'off');
    const byNetlink = await readLinks({ netns: path(ns) });
    const byIoctl = await readLinks({ netns: path(ns), ethtoolIoctlOnly: true });
    const topics = ({ channels, rings, features, pause, speedMbps, duplex, driver, timestamping }: Link) => ({
      channels,
      rings: rings && { rx: rings.rx, rxMax: rings.rxMax, tx: rings.tx, txMax: rings.txMax },
      features,
      pause,
      speedMbps,
      duplex,
      driver,
      timestamping,
    });
    for (const link of byNetlink.links) {
      const other = named(byIoctl.links, link.name);
      expect(topics(other)).toEqual(topics(link));
      // The ioctl cannot say which parameters a driver has: it has zeros for the others.
      if (link.coalescing) expect(other.coalescing).toMatchObject(link.coalescing);
    }

    const v0 = named(byNetlink.links, 'v0');
    expect(v0.channels).toMatchObject({ rx: 4, tx: 4, rxMax: 4, txMax: 4 });
    const channels = await ethtool(ns, '-l', 'v0');
    expect(channels).toMatch(/Current hardware settings:\s+RX:\s+4\s+TX:\s+4/);
    for (const name of ['v0', 'br0', 'ifb7', 'tun0']) {
      const { features = {} } = named(byNetlink.links, name);
      const printed = [...(await ethtool(ns, '-k', name)).matchAll(/^\s*([\w-]+): (on|off)( \[fixed\])?/gm)];
      const kernel = printed.filter(([, key = '']) => key in features);
      expect(kernel.length, name).toBeGreaterThan(40);
      for (const [, key = '', state, fixed] of kernel) {
        expect(features[key], `${name} ${key}`).toEqual({ on: state === 'on', changeable: !fixed });
      }
    }
    expect(v0.features?.['tx-tcp-segmentation']).toEqual({ on: false, changeable: true });
    expect(v0).toMatchObject({ driver: 'veth', speedMbps: 10000, duplex: 'full' });
    expect(await ethtool(ns, '-i', 'v0')).toContain('driver: veth');
    expect(v0.xdp?.features).toContain('basic');
  });
});

/** Counts that only grow, taken before and after ours: ours must lie between them. */
function expectBetween(low: Record<string, number>, ours: Record<string, number>, high: Record<string, number>): void {
  for (const [key, value] of Object.entries(ours)) {
    if (low[key] === undefined || high[key] === undefined) continue;
    expect(value, key).toBeGreaterThanOrEqual(low[key]);
    expect(value, key).toBeLessThanOrEqual(high[key]);
  }
}

test('counters are those of ip -s, ethtool -S and tc -s', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ethtool', 'tc', 'python3');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await ns.run('tc', ...'qdisc add dev veth root handle 77: tbf rate 8kbit burst 2kb limit 3kb'.split(' '));
    await ns.run(
      'python3',
      '-c',
      'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nfor _ in range(60): s.sendto(bytes(1000), ("10.99.0.2", 9))',
    );

    const statistics = async () =>
      Object.fromEntries(
        [...(await ns.run('ethtool', '-S', 'veth')).matchAll(/^\s*(\S.*): (\d+)$/gm)].map(([, k, v]) => [k, Number(v)]),
      );
    const standard = async () => {
      const [row] = (await json(ns, 'ip', '-j', '-s', 'link', 'show', 'veth')) as {
        stats64: { rx: Record<string, number>; tx: Record<string, number> };
      }[];
      const { rx = {}, tx = {} } = row?.stats64 ?? {};
      const of = (prefix: string, side: Record<string, number>) =>
        Object.fromEntries(
          ['packets', 'bytes', 'errors', 'dropped'].map((key) => [`${prefix}_${key}`, side[key] ?? -1]),
        );
      return { ...of('rx', rx), ...of('tx', tx) };
    };
    const qdisc = async () => {
      const rows = (await json(ns, 'tc', '-j', '-s', 'qdisc', 'show', 'dev', 'veth')) as Record<string, number>[];
      return rows.find((row) => String(row.handle) === '77:') ?? {};
    };
    const before = [await statistics(), await standard(), await qdisc()] as const;
    const veth: LinkCounters = named((await collectLinkCounters(path(ns))).counters, 'veth');
    const after = [await statistics(), await standard(), await qdisc()] as const;

    expect(Object.keys(veth.driver ?? {}).sort()).toEqual(Object.keys(before[0]).sort());
    expectBetween(before[0], veth.driver ?? {}, after[0]);
    expect(Object.keys(veth.standard)).toEqual(expect.arrayContaining(Object.keys(before[1])));
    expectBetween(before[1], veth.standard, after[1]);
    expect(veth.standard.tx_packets).toBeGreaterThan(0);
    const [tbf] = veth.qdiscs;
    expect(tbf).toMatchObject({ kind: 'tbf', handle: '77:', parent: 'root' });
    expect(tbf?.drops).toBeGreaterThan(0);
    for (const key of ['bytes', 'packets', 'drops', 'overlimits'] as const) {
      expect(tbf?.[key], key).toBeGreaterThanOrEqual(before[2][key] ?? -1);
      expect(tbf?.[key], key).toBeLessThanOrEqual(after[2][key] ?? -1);
    }
    // The healthy twin: the other end has no such discipline and dropped nothing in one.
    const other = named((await collectLinkCounters(path(peer))).counters, 'veth');
    expect(other.qdiscs.some((row) => row.kind === 'tbf' || row.drops > 0)).toBe(false);
  });
});

test('children of a discipline name their parents as tc does', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'tc');
  await withNetns(async (ns) => {
    await ns.run('ip', 'link', 'add', 'v0', 'numtxqueues', '2', 'type', 'veth', 'peer', 'name', 'v1');
    await ns.run('ip', 'link', 'set', 'v0', 'up');
    await ns.run('tc', 'qdisc', 'add', 'dev', 'v0', 'root', 'handle', '1:', 'htb', 'default', '10');
    await ns.run('tc', 'class', 'add', 'dev', 'v0', 'parent', '1:', 'classid', '1:10', 'htb', 'rate', '1mbit');
    await ns.run('tc', 'qdisc', 'add', 'dev', 'v0', 'parent', '1:10', 'handle', '20:', 'pfifo', 'limit', '5');
    await ns.run('tc', 'qdisc', 'add', 'dev', 'v0', 'ingress');
    const { counters } = await collectLinkCounters(path(ns));
    const rows = named(counters, 'v0').qdiscs.map(({ kind, handle, parent }) => `${kind} ${handle} ${parent}`);
    expect(rows.sort()).toEqual(['htb 1: root', 'ingress ffff: ingress', 'pfifo 20: 1:10']);
  });
});

test('sysfs is that of the namespace: settings made there are seen, also when we ourselves were put into it', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'nsenter');
  await withNetns(async (ns) => {
    await build(ns);
    await ns.run('sh', '-c', 'echo 3 > /sys/class/net/v0/queues/rx-2/rps_cpus');
    await ns.run('sh', '-c', 'echo 20000 > /sys/class/net/v0/gro_flush_timeout');
    const expected = { groFlushTimeoutNs: 20000, rps: '3', queues: 4 };
    const facts = (links: readonly Link[]) => {
      const link = named(links, 'v0');
      const queues = link.rxQueueList ?? [];
      return { groFlushTimeoutNs: link.groFlushTimeoutNs, rps: queues[2]?.cpus, queues: queues.length };
    };
    expect(facts((await collectLinks(path(ns))).links)).toEqual(expected);
    // nsenter leaves /sys as it was, showing the links of the namespace where it was mounted.
    const script = `import { collectLinks } from '${new URL('../../../dist/probes/links.js', import.meta.url)}';
      console.log(JSON.stringify(await collectLinks('')));`;
    const { stdout } = await execa('nsenter', [
      `--net=${path(ns)}`,
      process.execPath,
      '--input-type=module',
      '-e',
      script,
    ]);
    const inside = JSON.parse(stdout);
    expect(inside.gaps).toEqual([]);
    expect(facts(inside.links)).toEqual(expected);
  });
});

test('a namespace that is not there is a gap', async () => {
  const { links, gaps } = await collectLinks('/run/netns/no-such-namespace');
  expect(links).toEqual([]);
  expect(gaps[0]).toMatchObject({ probe: 'links', reason: 'No such file or directory' });
});

test('our own namespace needs no privilege', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'setpriv');
  const script = `import { collectLinks } from '${new URL('../../../dist/probes/links.js', import.meta.url)}';
    const { links, counters, gaps } = await collectLinks('');
    console.log(JSON.stringify({ names: links.map((link) => link.name), queues: links.every((link) => link.rxQueueList), counters: counters.length, gaps }));`;
  const { stdout } = await execa('setpriv', [
    ...['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath],
    ...['--input-type=module', '-e', script],
  ]);
  const seen = JSON.parse(stdout);
  expect(seen.names).toContain('lo');
  expect(seen).toMatchObject({ queues: true, counters: seen.names.length, gaps: [] });
});
