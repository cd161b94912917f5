import { expect, test } from 'vitest';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { evidence } from './support.js';

const tbf = (ns: Netns, rate: string) =>
  ns.run('tc', ...`qdisc replace dev veth root tbf rate ${rate} burst 20000 limit 20000`.split(' '));
const drops = async (ns: Netns): Promise<number> =>
  Number(/dropped (\d+)/.exec(await ns.run('tc', '-s', 'qdisc', 'show', 'dev', 'veth'))?.[1]);

test('a shaper that is too slow drops, one that is fast enough does not', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'tc');
  await withNetns(async (ns) => {
    await ns.peer();
    await tbf(ns, '1gbit');
    await ns.start('udp_drip.py', '10.99.0.2', 6000, 1000, 2);
    expect((await ns.check(['--only', 'qdisc'])).of('qdisc').map((r) => r.status)).not.toContain('fail');

    await tbf(ns, '256kbit');
    await poll('drops', async () => (await drops(ns)) > 10);
    const before = await drops(ns);
    const checked = await ns.check(['--only', 'qdisc']);
    const after = await drops(ns);
    const result = checked.of('qdisc').find((r) => r.status === 'fail');
    expect(result?.subject).toEqual({ interface: 'veth' });
    expect(evidence(result, 'drops', 'total')).toBeGreaterThanOrEqual(before);
    expect(evidence(result, 'drops', 'total')).toBeLessThanOrEqual(after);
    expect(evidence(result, 'drops', 'window')).toBeLessThanOrEqual(after - before);
  });
});
