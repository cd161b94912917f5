import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { nstat, ss, ssNumber } from '../../support/independent.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../support/live.js';

test('a namespace, a peer behind a veth pair and the processes in them are gone afterwards, also after a failure', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss', 'nstat');
  let seen: { ns: Netns; peer: Netns; pid: number } | undefined;
  const failing = withNetns(async (ns) => {
    const peer = await ns.peer();
    const server = await ns.start('listener.py', '10.99.0.1', 0, 16);
    seen = { ns, peer, pid: server.pid };
    await peer.start('connector.py', '10.99.0.1', server.ready.port, 5);
    await poll('five wait', async () => (await ss(ns, '-lt'))[0]?.receive === 5);
    expect(await ns.sysctl('net.ipv4.tcp_fin_timeout', 7)).toBe('7');
    expect((await nstat(ns)).TcpPassiveOpens).toBe(5);
    const [row] = await ss(peer, '-tm', 'state', 'established');
    expect(row).toMatchObject({ remote: `10.99.0.1:${server.ready.port}` });
    expect(ssNumber(row as never, 'd')).toBe(0);
    throw new Error('on purpose');
  });
  await expect(failing).rejects.toThrow('on purpose');
  expect(seen).toBeDefined();
  expect(existsSync(`/proc/${seen?.pid}`)).toBe(false);
  expect(existsSync(`/run/netns/${seen?.ns.name}`)).toBe(false);
  expect(existsSync(`/run/netns/${seen?.peer.name}`)).toBe(false);
});

test('a program that ends before it is ready is an error with what it said', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    await expect(ns.start('listener.py', '192.0.2.1', 80, 1)).rejects.toThrow(/Cannot assign requested address/);
  });
});
