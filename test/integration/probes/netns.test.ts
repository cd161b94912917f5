import { expect, test } from 'vitest';
import { collect } from '../../../src/services/diagnose/collect.js';
import { nstat } from '../../support/independent.js';
import { type Netns, requireRoot, requireTool, withNetns } from '../../support/live.js';

const one = async (ns: Netns) => {
  const snapshot = await collect({ target: { pids: [], netns: ns.name }, windowMs: 0 });
  const [facts] = snapshot.netns;
  const [reading] = snapshot.readings[0]?.netns ?? [];
  if (!facts || !reading) throw new Error('no namespace in the snapshot');
  return { snapshot, facts, reading };
};

test('counters have the names and the values of nstat', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'nstat');
  await withNetns(async (ns) => {
    await ns.start('listener.py', '127.0.0.1', 0, 1);
    await ns.run('python3', '-c', 'import socket; socket.socket(2, 2).sendto(b"x", ("127.0.0.1", 9))'); // no such port
    const { reading } = await one(ns);
    const theirs = await nstat(ns);
    expect(theirs.UdpNoPorts).toBe(1);
    expect(Object.keys(theirs).length).toBeGreaterThan(200);
    const ours = Object.fromEntries(Object.keys(theirs).map((name) => [name, reading.counters[name]]));
    delete ours.TcpMaxConn; // -1, which nstat prints as unsigned
    delete theirs.TcpMaxConn;
    expect(ours).toEqual(theirs);
  });
});

test('sysctls have the names and the values of sysctl -a, those of a dotted interface among them', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'sysctl');
  await withNetns(async (ns) => {
    await ns.run('ip', 'link', 'add', 'v0.7', 'type', 'veth', 'peer', 'name', 'w0');
    await ns.sysctl('net.ipv4.conf.v0/7.rp_filter', 2);
    await ns.sysctl('net.ipv4.tcp_rmem', '5000 6000 7000');
    const { facts } = await one(ns);
    const printed = await ns.run('sh', '-c', 'sysctl -a 2>/dev/null');
    const theirs = new Map(
      printed.split('\n').flatMap((line) => {
        const [name = '', value = ''] = line.split(/ =(?: |$)/);
        return name.startsWith('net.') ? [[name, value.trim().replace(/\s+/g, ' ')] as const] : [];
      }),
    );
    expect(facts.sysctls['net.ipv4.conf.v0/7.rp_filter']).toBe('2');
    expect(facts.sysctls['net.ipv4.tcp_rmem']).toBe('5000 6000 7000');
    for (const [name, value] of Object.entries(facts.sysctls)) {
      if (!theirs.has(name)) continue; // a file of several lines
      expect.soft([name, value]).toEqual([name, theirs.get(name)]);
    }
    const unread = [...theirs.keys()].filter((name) => !(name in facts.sysctls));
    const left = unread.filter(
      (name) =>
        !/^net\.ipv[46]\.(conf|neigh)\.(?!all|default)|tcp_fastopen_key|netdev_rss_key|stable_secret/.test(name),
    );
    expect(left).toEqual([]);
    expect(Object.keys(facts.sysctls).filter((name) => /fastopen_key|stable_secret/.test(name))).toEqual([]);
  });
});

test("socket counts agree with the file, and what is the whole host's is not taken for the namespace's", async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip');
  await withNetns(async (ns) => {
    const server = await ns.start('listener.py', '127.0.0.1', 0, 4);
    await ns.start('connector.py', '127.0.0.1', server.ready.port, 3);
    const { facts, reading } = await one(ns);
    const sockstat = await ns.run('cat', '/proc/net/sockstat');
    expect(reading.sockstat['TCP.inuse']).toBe(Number(/TCP: inuse (\d+)/.exec(sockstat)?.[1]));
    expect(reading.sockstat['TCP.inuse']).toBeGreaterThanOrEqual(4);
    expect(facts).toMatchObject({ id: ns.id, name: ns.name, initial: false, current: false });
    expect(reading.neighbours).toEqual([]);
    expect(reading.conntrack?.count ?? 0).toBe(0);
  });
});

test('our own namespace is the initial one exactly if it has what the kernel registers there alone', async () => {
  const snapshot = await collect({ target: { pids: [] }, windowMs: 0 });
  expect(snapshot.netns).toHaveLength(1);
  expect(snapshot.netns[0]).toMatchObject({ current: true });
  expect(snapshot.netns[0]?.initial).toBe('net.core.netdev_max_backlog' in (snapshot.netns[0]?.sysctls ?? {}));
});
