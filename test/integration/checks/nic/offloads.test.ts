import { expect, test } from 'vitest';
import { type Netns, requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { withThresholds } from '../../../support/thresholds.js';

const ARGS = ['--only', 'offloads'];

/** What ethtool says, by its own legacy names. */
async function features(ns: Netns): Promise<Record<string, string>> {
  const lines = (await ns.run('ethtool', '-k', 'veth')).split('\n');
  return Object.fromEntries(lines.map((line) => line.trim().split(': ')).filter((parts) => parts.length === 2));
}

/** Runs the commands of a remedy as they are printed. */
const apply = (ns: Netns, commands: readonly string[]) => ns.run('sh', '-ec', commands.join('\n'));

test('segmentation and checksums turned off on a veth pair, and brought back by the remedy', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ethtool');
  await withNetns(async (ns) => {
    await ns.peer();
    const healthy = await ns.check([...ARGS, '--window', '0']);
    expect(healthy.of('offloads')).toMatchObject([{ status: 'pass', subject: { interface: 'veth' } }]);

    await ns.run('ethtool', '-K', 'veth', 'tx', 'off', 'tso', 'off');
    expect(await features(ns)).toMatchObject({ 'tx-checksumming': 'off', 'tcp-segmentation-offload': 'off' });
    const sick = await ns.check([...ARGS, '--window', '0']);
    expect(sick.of('offloads')).toMatchObject([{ status: 'info', subject: { interface: 'veth' } }]);
    const [finding] = sick.of('offloads');
    expect(finding?.summary).toContain('transmit checksums, TCP segmentation offload are off');
    expect(finding?.evidence).toContainEqual(
      expect.objectContaining({ key: 'tx-checksum-ip-generic', value: (await features(ns))['tx-checksum-ip-generic'] }),
    );

    await apply(ns, finding?.remedy?.commands ?? []);
    expect(await features(ns)).toMatchObject({ 'tx-checksumming': 'on', 'tcp-segmentation-offload': 'on' });
    expect((await ns.check([...ARGS, '--window', '0'])).of('offloads')).toMatchObject([{ status: 'pass' }]);
  });
});

test('under load it is a warning, in the direction that it slows down', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ethtool');
  await withNetns(async (ns) => {
    await ns.peer();
    await ns.run('ethtool', '-K', 'veth', 'tso', 'off');
    await ns.start('udp_flood.py', '10.99.0.2', 9, 0, 2000, 1400);
    await withThresholds({ offloads: { loadMbps: 2 } }, async (config) => {
      const { of } = await ns.check([...ARGS, ...config, '--window', '1000']);
      expect(of('offloads')).toMatchObject([{ status: 'warn', subject: { interface: 'veth' } }]);
    });
  });
});

test('GRO, which a veth pair does not have by default, and offloads of loopback and tun are nobody’s fault', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ethtool');
  await withNetns(async (ns) => {
    await ns.run('ip', 'tuntap', 'add', 'dev', 'tap0', 'mode', 'tap');
    await ns.run('ip', 'link', 'set', 'tap0', 'up');
    await ns.run('ethtool', '-K', 'lo', 'tso', 'off', 'gro', 'off');
    expect((await ns.check([...ARGS, '--window', '0'])).of('offloads')).toMatchObject([{ status: 'not-applicable' }]);
    await ns.peer();
    await ns.run('ethtool', '-K', 'veth', 'gro', 'off');
    expect((await features(ns))['generic-receive-offload']).toBe('off');
    expect((await ns.check([...ARGS, '--window', '0'])).of('offloads')).toMatchObject([{ status: 'pass' }]);
  });
});
