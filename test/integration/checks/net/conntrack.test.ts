import { expect, test } from 'vitest';
import { type Netns, requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { evidence, nftRule } from './support.js';

const COUNT = '/proc/sys/net/netfilter/nf_conntrack_count';
const number = async (ns: Netns, path: string) => Number(await ns.run('cat', path));

test('a table that fills up is found by its own count, an almost empty one passes', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  await withNetns(async (ns) => {
    await nftRule(ns, 'output', 'ct state new accept');
    const max = await number(ns, '/proc/sys/net/netfilter/nf_conntrack_max').catch(() => 0);
    // The limit holds for each namespace and can be set in the initial one alone: the table must really be filled.
    if (max === 0 || max > 600_000) return ctx.skip(`nf_conntrack_max is ${max}`);
    await ns.sysctl('net.netfilter.nf_conntrack_udp_timeout', 600);
    await ns.start('flows.c', 10);
    expect((await ns.check(['--only', 'conntrack', '--window', '0'])).of('conntrack')[0]?.status).toBe('pass');

    await ns.start('flows.c', Math.ceil(max * 0.85));
    const before = await number(ns, COUNT);
    const [result] = (await ns.check(['--only', 'conntrack', '--window', '200'])).of('conntrack');
    const after = await number(ns, COUNT);
    expect(result?.status).toBe('warn');
    expect(evidence(result, 'max', 'now')).toBe(max);
    expect(evidence(result, 'count', 'now')).toBeGreaterThanOrEqual(Math.min(before, after));
    expect(evidence(result, 'count', 'now')).toBeLessThanOrEqual(Math.max(before, after));
    expect(evidence(result, 'count', 'now') / max).toBeGreaterThan(0.8);
  });
});
