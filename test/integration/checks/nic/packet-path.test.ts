import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { withThresholds } from '../../../support/thresholds.js';

/** A chain that each packet goes through rule by rule: it makes receiving slow, in this namespace alone. */
async function slowReceive(ns: Netns, rules: number): Promise<void> {
  const lines = Array.from({ length: rules }, (_, i) => `udp dport ${i + 1} accept`);
  const hook = 'type filter hook prerouting priority 0; policy accept;';
  const file = join(tmpdir(), `${ns.name}.nft`);
  try {
    writeFileSync(file, `table ip slow {\nchain in {\n${hook}\n${lines.join('\n')}\nudp dport 40000 drop\n}\n}\n`);
    await ns.run('nft', '-f', file);
  } finally {
    rmSync(file, { force: true });
  }
}

const steer = (ns: Netns, mask: string) =>
  ns.run('sh', '-c', `echo ${mask} > /sys/class/net/veth/queues/rx-0/rps_cpus`);

/** Column of softnet_stat by CPU, which is column 13. */
function softnet(column: number): Map<number, number> {
  const lines = readFileSync('/proc/net/softnet_stat', 'utf8').trim().split('\n');
  return new Map(
    lines.map((line) => {
      const words = line.split(' ').map((word) => Number.parseInt(word, 16));
      return [words[12] ?? -1, words[column] ?? 0];
    }),
  );
}

test('a CPU that cannot keep up with what is steered to it: dropped, squeezed, skewed', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  if (availableParallelism() < 2) ctx.skip('needs two CPUs');
  await withNetns(async (ns) => {
    const other = await ns.peer();
    await slowReceive(ns, 8000);
    await steer(ns, '2');
    const before = softnet(1).get(1) ?? 0;
    const flood = await other.start('udp_flood.py', '10.99.0.1', 40000, 0, 40_000);
    await poll('drops at CPU 1', () => (softnet(1).get(1) ?? 0) > before);

    const dropsAt = () => softnet(1).get(1) ?? 0;
    const begin = dropsAt();
    const thresholds = {
      'softnet-skew': { packetsPerSecond: 1000, hotPercent: 20, ratio: 1 },
      'softnet-squeezed': { perSecond: 5 },
    };
    const { of } = await withThresholds(thresholds, (config) =>
      ns.check([
        ...config,
        '--window',
        '1500',
        '--only',
        'softnet-dropped',
        '--only',
        'softnet-squeezed',
        '--only',
        'softnet-skew',
      ]),
    );
    const end = dropsAt();

    const dropped = of('softnet-dropped').find(({ subject }) => subject?.cpu === 1);
    expect(dropped?.status).toBe('fail');
    const value = (scope: string) =>
      dropped?.evidence.find((e) => e.key === 'dropped' && e.scope === scope)?.value as number;
    expect(value('window')).toBeGreaterThan(0);
    expect(value('window')).toBeLessThanOrEqual(end - begin);
    expect(value('total')).toBeGreaterThan(begin);
    expect(value('total')).toBeLessThanOrEqual(end);
    expect(of('softnet-squeezed').find(({ subject }) => subject?.cpu === 1)?.status).toBe('warn');
    expect(of('softnet-skew')).toMatchObject([{ status: 'warn', subject: { cpu: 1 } }]);

    await flood.stop();
    await poll('the queue to drain', () => softnet(13).get(1) === 0);
    const after = await ns.check(['--window', '300', '--only', 'softnet-dropped']);
    expect(after.of('softnet-dropped')).toMatchObject([{ status: 'info' }]);
  });
}, 120_000);

test('one hot CPU behind a link without steering; the remedy steers', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  if (availableParallelism() < 2) ctx.skip('needs two CPUs');
  await withNetns(async (ns) => {
    const other = await ns.peer();
    await slowReceive(ns, 3000);
    const args = ['--only', 'rps', '--window', '1500'];
    expect((await ns.check(args)).of('rps')).toMatchObject([{ status: 'pass', subject: { interface: 'veth' } }]);

    await other.start('udp_flood.py', '10.99.0.1', 40000, 0, 20_000);
    await withThresholds({ rps: { packetsPerSecond: 500, hotPercent: 15, idlePercent: 0 } }, async (config) => {
      const [finding] = (await ns.check([...config, ...args])).of('rps');
      expect(finding).toMatchObject({ status: 'info', subject: { interface: 'veth' } });
      const hot = finding?.evidence.find(({ key }) => key === 'irq + softirq');
      expect(hot?.value).toBeGreaterThanOrEqual(15);

      await ns.run('sh', '-ec', (finding?.remedy?.commands ?? []).join('\n'));
      const mask = (await ns.run('cat', '/sys/class/net/veth/queues/rx-0/rps_cpus')).replace(/^[0,]+(?=.)/, '');
      expect(mask).toBe(finding?.remedy?.tunes[0]?.to);
      const steered = await ns.check([...config, ...args]);
      expect(steered.of('rps')).toMatchObject([{ status: 'pass', summary: 'veth steers packets' }]);
    });
  });
}, 120_000);
