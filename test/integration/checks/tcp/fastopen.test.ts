import { expect, test } from 'vitest';
import { nstat } from '../../../support/independent.js';
import { evidence, requireRoot, requireTool, under, withNetns } from '../../../support/live.js';

/** Client and server without cookies (1 + 2 + 4 + 0x200); the handshakes never end, so that they stay in the queue. */
const opened = (queueLength: number) =>
  withNetns(async (ns) => {
    await ns.sysctl('net.ipv4.tcp_fastopen', 0x207);
    const server = await ns.start('listener.py', '127.0.0.1', 0, 128, 'accept', `fastopen=${queueLength}`);
    await ns.run('nft', 'add table inet t; add chain inet t in { type filter hook input priority 0; }');
    await ns.run('nft', `add rule inet t in tcp dport ${server.ready.port} tcp flags & (syn|ack) == ack drop`);
    const clients = await ns.start('connector.py', '127.0.0.1', server.ready.port, 0);
    const before = await nstat(ns);
    const results = await under(() => clients.ask('fast 2', 'opened'), ns.only('fastopen'));
    const after = await nstat(ns);
    const counter = 'TcpExtTCPFastOpenListenOverflow';
    return { results, counter, grown: (after[counter] ?? 0) - (before[counter] ?? 0), after };
  });

test('more Fast Open handshakes than the listener allows', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'nft', 'nstat');
  const { results, counter, grown } = await opened(2);
  expect(results).toMatchObject([{ status: 'warn' }]);
  expect(evidence(results[0], counter, 'window')).toBeGreaterThan(0);
  expect(evidence(results[0], counter, 'window')).toBeLessThanOrEqual(grown);
});

test('fewer are nothing', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  const { results, grown, after } = await opened(4096);
  expect(after.TcpExtTCPFastOpenPassive).toBeGreaterThan(0);
  expect(grown).toBe(0);
  expect(results).toMatchObject([{ status: 'pass' }]);
});
