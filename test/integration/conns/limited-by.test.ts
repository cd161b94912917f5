import { expect, test } from 'vitest';
import type { ConnectionRow } from '../../../src/model/views/connections.js';
import { conns, rowOf } from '../../support/conns.js';
import { type Netns, poll, requireRoot, requireTool, type Victim, withNetns } from '../../support/live.js';
import { HERE, wire } from '../../support/wire.js';

/** The row of the sender once it says so, over a window of half a second, and over none where `atOnce`. */
const limited = async (ns: Netns, sender: Victim, limit: ConnectionRow['limitedBy'], atOnce = true) => {
  for (const args of [['--window', '500'], ...(atOnce ? [[]] : [])]) {
    await poll(`limited by ${limit} (${args.join(' ')})`, async () => {
      const document = await conns(ns, ['--state', 'established', ...args]);
      return rowOf(document, sender.ready.local)?.limitedBy === limit;
    });
  }
};

test('a reader that does not read: the receive window', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip');
  await withNetns(async (ns) => {
    const sink = await ns.start('sink.py', '127.0.0.1', 0, 'stall');
    const sender = await ns.start('sender.py', '127.0.0.1', sink.ready.port, 65_536);
    await limited(ns, sender, 'receive-window');
  });
});

test('a small send buffer on a long path: the send buffer', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'cc');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await wire(ns, peer, 50);
    const sink = await ns.start('listener.py', HERE, 0, 16, 'serve');
    const sender = await peer.start('sender.py', HERE, sink.ready.port, 65_536, 'sndbuf=16384');
    await limited(peer, sender, 'send-buffer');
  });
});

test('a narrow path: congestion, and nothing else at the end that only reads', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'tc');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await peer.run('tc', ...'qdisc replace dev veth root tbf rate 4mbit burst 20000 limit 60000'.split(' '));
    await peer.sysctl('net.ipv4.tcp_congestion_control', 'reno');
    const sink = await ns.start('sink.py', '10.99.0.1', 0);
    const sender = await peer.start('sender.py', '10.99.0.1', sink.ready.port, 65_536);
    await limited(peer, sender, 'congestion', false);
    const { connections } = await conns(ns, ['--state', 'established', '--window', '1500']);
    expect(connections).toMatchObject([{ limitedBy: 'application', remote: sender.ready.local }]);
    expect(connections[0]?.rates?.receiveBps).toBeLessThan(4e6);
  });
});

test('one that has nothing to say: the application', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const sink = await ns.start('sink.py', '127.0.0.1', 0);
    const sender = await ns.start('sender.py', '127.0.0.1', sink.ready.port, 0);
    await sender.ask('send 100000', 'sent');
    await limited(ns, sender, 'application');
  });
});
