import { expect, test } from 'vitest';
import { ss, ssNumber } from '../../../support/independent.js';
import { evidence, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { HERE, wire } from '../../../support/wire.js';

test('megabytes wait unsent in front of a slow path; the remedy mends it while the connection lasts', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss', 'cc');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await wire(ns, peer, 50);
    await ns.sysctl('net.ipv4.tcp_rmem', '4096 131072 131072');
    const server = await ns.start('listener.py', HERE, 0, 16, 'serve');
    const client = await peer.start('sender.py', HERE, server.ready.port, 65_536, 'sndbuf=2000000');
    const waiting = async () => {
      const [row] = await ss(peer, '-ti', 'state', 'established');
      return row === undefined ? 0 : (ssNumber(row, 'notsent') ?? 0);
    };
    await poll('much waits', async () => (await waiting()) > 1_000_000);
    const [result] = await peer.only('notsent');
    expect(result).toMatchObject({ status: 'info', subject: { pid: client.pid, fd: client.ready.fd } });
    expect(evidence(result, 'not sent')).toBeGreaterThan(262_144);
    expect(await peer.only('notsent', '--profile', 'latency')).toMatchObject([{ status: 'warn' }]);

    for (const command of result?.remedy?.commands ?? []) await peer.run('sh', '-c', command);
    await poll('it has drained', async () => (await waiting()) < 262_144);
    expect(await peer.only('notsent', '--profile', 'latency')).toMatchObject([{ status: 'pass' }]);
  });
});
