import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { counted, evidence, nftRule } from './support.js';

const text = (results: readonly { summary: string }[]) => results.map((r) => r.summary).join('\n');

test('a line that a user wrote into the log is not the kernel speaking', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    try {
      writeFileSync('/dev/kmsg', '<4>NETDEV WATCHDOG: sockdoc-test (none): transmit queue 0 timed out 5000 ms\n');
    } catch {
      return ctx.skip('/dev/kmsg cannot be written');
    }
    const results = (await ns.check(['--only', 'kernel-log', '--window', '100'])).of('kernel-log');
    if (results[0]?.status === 'unknown') return ctx.skip(results[0].summary);
    expect(text(results)).not.toContain('NETDEV WATCHDOG');
  });
});

test('the line that the kernel writes about a flooded listener is found', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await ns.sysctl('net.ipv4.tcp_syncookies', 1);
    // The clients never see an answer: half-open connections pile up behind a backlog of one.
    await nftRule(peer, 'input', 'tcp flags & (syn|ack) == (syn|ack) drop');
    await ns.start('listener.py', '0.0.0.0', 8080, 1);
    const flooded = async () =>
      (await ns.run('dmesg')).split('\n').filter((line) => line.includes('Possible SYN flooding on port'));
    const before = await flooded();
    await peer.start('connector.py', '10.99.0.1', 8080, 60);
    await counted(ns, 'TcpExtTCPReqQFullDoCookies');
    const lines = await flooded();
    if (lines.length === before.length) return ctx.skip('the kernel did not say so: its messages are rate limited');
    const results = (await ns.check(['--only', 'kernel-log', '--window', '100'])).of('kernel-log');
    if (results[0]?.status === 'unknown') return ctx.skip(results[0].summary);
    const flooding = results.find((r) => r.summary.startsWith('SYN flooding'));
    expect(['warn', 'fail']).toContain(flooding?.status);
    expect(evidence(flooding, 'SYN flooding', 'total')).toBeGreaterThanOrEqual(lines.length);
  });
});
