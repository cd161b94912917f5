import { expect, test } from 'vitest';
import { ss, ssNumber } from '../../../support/independent.js';
import { evidence, type Netns, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';

/** 10.99.1.2 (ns) - router - 10.99.2.2: the router's way to the server takes 1400 bytes, both ends think 4000. */
async function path(router: Netns, hole: boolean): Promise<{ client: Netns; server: Netns }> {
  const client = await router.peer('10.99.1', 'left');
  const server = await router.peer('10.99.2', 'right');
  await router.sysctl('net.ipv4.ip_forward', 1);
  for (const [end, gateway] of [
    [client, '10.99.1.1'],
    [server, '10.99.2.1'],
  ] as const) {
    await end.run('ip', 'link', 'set', 'veth', 'mtu', 4000);
    await end.run('ip', 'route', 'add', 'default', 'via', gateway);
  }
  await router.run('ip', 'link', 'set', 'left', 'mtu', 4000);
  await router.run('ip', 'link', 'set', 'right', 'mtu', 1400);
  if (hole) {
    await router.run('nft', 'add table inet t; add chain inet t out { type filter hook output priority 0; }');
    await router.run('nft', 'add rule inet t out icmp type destination-unreachable drop');
  }
  return { client, server };
}

test('full segments that vanish without a word: found; and cured by the remedy for new connections', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss', 'nft');
  await withNetns(async (router) => {
    const { client, server } = await path(router, true);
    const listener = await server.start('listener.py', '10.99.2.2', 0, 8, 'serve');
    const sender = await client.start('sender.py', '10.99.2.2', listener.ready.port, 65_536);
    await poll('two timeouts', async () => {
      const [row] = await ss(client, '-ti', 'state', 'established');
      return row && (ssNumber(row, 'backoff') ?? 0) >= 2;
    });
    const [result] = await client.only('mtu-probing');
    expect(result).toMatchObject({
      status: 'warn',
      subject: { pid: sender.pid, connection: `${sender.ready.local} -> ${sender.ready.remote}` },
      remedy: { commands: ['sysctl -w net.ipv4.tcp_mtu_probing=1'] },
    });
    const [row] = await ss(client, '-ti', 'state', 'established');
    expect(evidence(result, 'MSS')).toBe(ssNumber(row as never, 'mss'));

    for (const command of result?.remedy?.commands ?? []) await client.run('sh', '-c', command);
    const cured = await client.start('sender.py', '10.99.2.2', listener.ready.port, 65_536);
    await poll('it moves', async () => {
      const rows = await ss(client, '-ti', 'state', 'established');
      return rows.some((r) => r.local === cured.ready.local && (ssNumber(r, 'bytes_acked') ?? 0) > 100_000);
    });
    expect(await client.only('mtu-probing')).toMatchObject([{ status: 'pass' }]);
  });
});

test('the same path with its ICMP messages is no finding', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  await withNetns(async (router) => {
    const { client, server } = await path(router, false);
    const listener = await server.start('listener.py', '10.99.2.2', 0, 8, 'serve');
    await client.start('sender.py', '10.99.2.2', listener.ready.port, 65_536, 'paced');
    expect(await client.only('mtu-probing')).toMatchObject([{ status: 'pass' }]);
  });
});
