import { expect, test } from 'vitest';
import { nstat } from '../../../support/independent.js';
import { evidence, requireRoot, requireTool, under, withNetns } from '../../../support/live.js';

/**
 * Without SYN cookies the kernel keeps the last quarter of tcp_max_syn_backlog for peers that it knows: others are
 * dropped although the queues of the listener have room.
 */
const synBacklog = (size: number) =>
  withNetns(async (ns) => {
    const peer = await ns.peer();
    await peer.run('nft', 'add table inet t; add chain inet t in { type filter hook input priority 0; }');
    await peer.run('nft', 'add rule inet t in tcp flags & (syn|ack) == syn|ack drop');
    await ns.sysctl('net.ipv4.tcp_syncookies', 0);
    await ns.sysctl('net.ipv4.tcp_max_syn_backlog', size);
    const server = await ns.start('listener.py', '10.99.0.1', 0, 1024, 'accept');
    const clients = await peer.start('connector.py', '10.99.0.1', server.ready.port, 20);
    const before = await nstat(ns);
    const results = await under(() => clients.ask('more 2', 'opened'), ns.only('listen-drop'));
    const after = await nstat(ns);
    return { results, server, dropped: (after.TcpExtListenDrops ?? 0) - (before.TcpExtListenDrops ?? 0), after };
  });

test('drops at a listener that no full queue explains are found and named', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'nft', 'nstat');
  const { results, server, dropped, after } = await synBacklog(8);
  expect(results).toMatchObject([
    { status: 'fail', subject: { pid: server.pid, listener: `10.99.0.1:${server.ready.port}` } },
  ]);
  expect(evidence(results[0], 'TcpExtListenDrops', 'window')).toBeGreaterThan(0);
  expect(evidence(results[0], 'TcpExtListenDrops', 'window')).toBeLessThanOrEqual(dropped);
  expect(after.TcpExtListenOverflows).toBe(0);
});

test('with room for them there are none', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  const { results, dropped } = await synBacklog(4096);
  expect(results).toMatchObject([{ status: 'pass' }]);
  expect(dropped).toBe(0);
});
