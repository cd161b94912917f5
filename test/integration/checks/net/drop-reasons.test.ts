import { expect, test } from 'vitest';
import { nstat } from '../../../support/independent.js';
import { requireRoot, withNetns } from '../../../support/live.js';
import { counted, evidence } from './support.js';

test('drops at a full socket are counted by reason, a closed port is normal work', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    await ns.start('udp_deaf.py', '127.0.0.1', 6000, 4096);
    await ns.start('udp_drip.py', '127.0.0.1', 6000, 500, 2);
    await ns.start('udp_drip.py', '127.0.0.1', 6001, 500, 2);
    await counted(ns, 'UdpRcvbufErrors', 10);
    const before = await nstat(ns);
    const results = (await ns.check(['--only', 'drop-reasons'])).of('drop-reasons');
    const after = await nstat(ns);
    if (results[0]?.status === 'unknown') return ctx.skip(results[0].summary);
    const full = results.find((r) => r.summary.includes('SOCKET_RCVBUFF'));
    expect(full?.status).toBe('warn');
    // The tracepoint sees the whole host, so other namespaces may add to it; ours alone is the lower bound.
    const drops = evidence(full, 'SOCKET_RCVBUFF', 'window');
    expect(drops).toBeGreaterThan(20);
    expect((after.UdpRcvbufErrors ?? 0) - (before.UdpRcvbufErrors ?? 0)).toBeGreaterThan(20);
    expect(results.filter((r) => r.summary.includes('NO_SOCKET'))).toEqual([]);
  });
});
