import { expect, test } from 'vitest';
import { nstat, ss } from '../../../support/independent.js';
import { evidence, type Netns, poll, requireRoot, requireTool, under, withNetns } from '../../../support/live.js';

/** Clients at the other end never see an answer: their connections stay half open here. */
async function deafen(peer: Netns): Promise<void> {
  await peer.run('nft', 'add table inet t; add chain inet t in { type filter hook input priority 0; }');
  await peer.run('nft', 'add rule inet t in tcp flags & (syn|ack) == syn|ack drop');
}

const flooded = (syncookies: number, backlog: number) =>
  withNetns(async (ns) => {
    const peer = await ns.peer();
    await deafen(peer);
    await ns.sysctl('net.ipv4.tcp_syncookies', syncookies);
    const server = await ns.start('listener.py', '10.99.0.1', 0, backlog, 'accept');
    const clients = await peer.start('connector.py', '10.99.0.1', server.ready.port, 8);
    await poll('some are half open', async () => (await ss(ns, '-t', 'state', 'syn-recv')).length >= 4);
    const before = await nstat(ns);
    const results = await under(() => clients.ask('more 2', 'opened'), ns.only('syn-queue'));
    const after = await nstat(ns);
    expect(results).toHaveLength(1);
    const grown = (counter: string) => (after[counter] ?? 0) - (before[counter] ?? 0);
    return { result: results[0], server, grown };
  });

test('half-open connections fill the SYN queue: SYNs are dropped without cookies', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss', 'nft', 'nstat');
  const { result, server, grown } = await flooded(0, 4);
  expect(result).toMatchObject({
    status: 'fail',
    subject: { pid: server.pid, listener: `10.99.0.1:${server.ready.port}` },
    remedy: { commands: ['sysctl -w net.ipv4.tcp_syncookies=1'] },
  });
  const dropped = evidence(result, 'TcpExtTCPReqQFullDrop', 'window');
  expect(dropped).toBeGreaterThan(0);
  expect(dropped).toBeLessThanOrEqual(grown('TcpExtTCPReqQFullDrop'));
  expect(evidence(result, 'SYN_RECV')).toBeGreaterThanOrEqual(4);
});

test('with cookies it is a warning', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  const { result, grown } = await flooded(1, 4);
  expect(result).toMatchObject({ status: 'warn' });
  expect(evidence(result, 'TcpExtTCPReqQFullDoCookies', 'window')).toBeLessThanOrEqual(
    grown('TcpExtTCPReqQFullDoCookies'),
  );
});

test('as many half-open connections with room for them are nothing', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  const { result, grown } = await flooded(0, 1024);
  expect(result).toMatchObject({ status: 'pass' });
  expect(grown('TcpExtTCPReqQFullDrop')).toBe(0);
});
