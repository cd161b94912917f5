import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { nstat } from '../../../support/independent.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { agrees, counted, nftRule } from './support.js';

const SWALLOWED = 'MPTcpExtMPCapableSYNTXDrop';
const exchange = async (ns: Netns, peer: Netns) => {
  await peer.start('sink.py', '0.0.0.0', 5000, 'mptcp');
  await ns.start('dialer.py', '10.99.0.2', 5000, 'mptcp');
};

test('a path that swallows MPTCP is found, one that carries it is not', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  if (!existsSync('/proc/sys/net/mptcp/enabled')) return ctx.skip('this kernel has no MPTCP');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await exchange(ns, peer);
    await counted(ns, 'MPTcpExtMPCapableSYNACKRX', 5);
    // On a busy machine a SYN may be sent again, without MPTCP: a fallback of its own, which is then over.
    await poll('a window without fallbacks', async () =>
      ['pass', 'info'].includes((await ns.check(['--only', 'mptcp'])).of('mptcp')[0]?.status ?? ''),
    );

    await ns.run('sysctl', '-qw', 'net.mptcp.syn_retrans_before_tcp_fallback=0').catch(() => {});
    await ns.run('sysctl', '-qw', 'net.mptcp.blackhole_timeout=0').catch(() => {});
    await nftRule(peer, 'prerouting', 'tcp flags & (syn|ack) == syn tcp option mptcp exists drop');
    await counted(ns, SWALLOWED);
    const { before, found, after } = await poll('a fallback within a window', async () => {
      const before = await nstat(ns);
      const results = (await ns.check(['--only', 'mptcp', '--window', '2000'])).of('mptcp');
      const found = results.find((r) => r.status === 'warn' && r.evidence.some((e) => e.key === SWALLOWED));
      return found && { before, found, after: await nstat(ns) };
    });
    agrees(found, SWALLOWED, before, after);
  });
});

test('two uplinks and MPTCP off is information, one uplink passes', async (ctx) => {
  requireRoot(ctx);
  if (!existsSync('/proc/sys/net/mptcp/enabled')) return ctx.skip('this kernel has no MPTCP');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await ns.sysctl('net.mptcp.enabled', 0);
    await ns.run('ip', 'route', 'add', 'default', 'via', '10.99.0.2');
    expect((await ns.check(['--only', 'mptcp', '--window', '0'])).of('mptcp')[0]?.status).toBe('pass');
    await ns.run('ip', 'link', 'add', 'second', 'type', 'veth', 'peer', 'name', 'second', 'netns', peer.name);
    await ns.run('ip', 'address', 'add', '10.98.0.1/24', 'dev', 'second');
    await ns.run('ip', 'link', 'set', 'second', 'up');
    await ns.run('ip', 'route', 'add', '192.0.2.0/24', 'via', '10.98.0.2');
    const [result] = (await ns.check(['--only', 'mptcp', '--window', '0'])).of('mptcp');
    expect(result).toMatchObject({ status: 'info', subject: { key: 'net.mptcp.enabled' } });
    expect(result?.summary).toContain('veth, second');
  });
});
