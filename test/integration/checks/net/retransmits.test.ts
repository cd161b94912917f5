import { expect, test } from 'vitest';
import { nstat } from '../../../support/independent.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { agrees, counted, nftRule } from './support.js';

/** A steady stream of segments of their own (no GSO) from `ns` to its peer. */
async function stream(ns: Netns, peer: Netns) {
  await ns.run('ethtool', '-K', 'veth', 'tso', 'off', 'gso', 'off');
  await peer.start('sink.py', '0.0.0.0', 5000);
  const source = await ns.start('source.py', '10.99.0.2', 5000, 30_000, 10);
  await counted(ns, 'TcpOutSegs', 300);
  return source;
}

test('segments lost on the path are found, with the connection that suffers', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft', 'ethtool');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await nftRule(peer, 'input', 'tcp dport 5000 numgen random mod 100 < 8 drop');
    const source = await stream(ns, peer);
    await counted(ns, 'TcpRetransSegs', 20);
    const before = await nstat(ns);
    const checked = await ns.check(['--only', 'retransmits', '--window', '2000']);
    const after = await nstat(ns);
    const [result] = checked.of('retransmits');
    expect(['warn', 'fail']).toContain(result?.status);
    expect(result?.subject).toMatchObject({
      pid: source.pid,
      connection: `10.99.0.1:${source.ready.port} -> 10.99.0.2:5000`,
    });
    for (const counter of ['TcpRetransSegs', 'TcpOutSegs', 'TcpExtTCPTimeouts', 'TcpExtTCPLostRetransmit'])
      agrees(result, counter, before, after);
  });
});

test('the same stream without loss does not fire', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ethtool');
  await withNetns(async (ns) => {
    await stream(ns, await ns.peer());
    const [result, ...others] = (await ns.check(['--only', 'retransmits', '--window', '1000'])).of('retransmits');
    expect(result?.status).toBe('pass');
    expect(others).toEqual([]);
  });
});

test('a SYN that is never answered is named, a listener nearby is not', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await nftRule(peer, 'input', 'tcp dport 81 drop');
    await peer.start('sink.py', '0.0.0.0', 80);
    await ns.start('dialer.py', '10.99.0.2', 80);
    const dialer = await ns.start('dialer.py', '10.99.0.2', 81);
    const results = await poll('SYNs sent again within a window', async () => {
      const found = (await ns.check(['--only', 'retransmits', '--window', '2000'])).of('retransmits');
      return found.some((r) => r.status === 'warn') && found;
    });
    for (const result of results.filter((r) => r.status === 'warn'))
      expect(result.subject).toMatchObject({ pid: dialer.pid, connection: expect.stringContaining('-> 10.99.0.2:81') });
  });
});
