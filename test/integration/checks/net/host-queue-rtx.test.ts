import { expect, test } from 'vitest';
import { nstat } from '../../../support/independent.js';
import { poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { agrees, counted } from './support.js';

const COUNTER = 'TcpExtTCPSpuriousRtxHostQueues';

test('segments that wait in a shaper past their timer are found at its interface', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'tc');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await peer.start('sink.py', '0.0.0.0', 5000);
    for (let i = 0; i < 4; ++i) await ns.start('source.py', '10.99.0.2', 5000, 100_000, 5);
    await counted(ns, 'TcpOutSegs', 500);
    expect((await ns.check(['--only', 'host-queue-rtx', '--window', '500'])).of('host-queue-rtx')[0]?.status).toBe(
      'pass',
    );

    await ns.run('tc', ...'qdisc add dev veth root tbf rate 8kbit burst 3000 limit 3000000'.split(' '));
    await counted(ns, COUNTER);
    const { before, result, after } = await poll('a timer that runs out within a window', async () => {
      const before = await nstat(ns);
      const [result] = (await ns.check(['--only', 'host-queue-rtx', '--window', '2000'])).of('host-queue-rtx');
      return result?.status === 'warn' && { before, result, after: await nstat(ns) };
    });
    expect(result.subject).toEqual({ interface: 'veth' });
    agrees(result, COUNTER, before, after);
  });
});
