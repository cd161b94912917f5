import { expect, test } from 'vitest';
import { ss, ssNumber } from '../../../support/independent.js';
import { requireRoot, withNetns } from '../../../support/live.js';
import { counted, evidence } from './support.js';

test('a client that writes in two pieces and waits is named', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const client = await ns.start('stutter.py', 7000);
    await counted(ns, 'TcpExtDelayedACKs', 10);
    const segments = async () => {
      const rows = await ss(ns, '-ti', 'dst', '127.0.0.1:7000');
      return ssNumber(rows[0] as (typeof rows)[number], 'data_segs_out') as number;
    };
    const before = await segments();
    const checked = await ns.check(['--only', 'nagle-stall', '--window', '2000']);
    const after = await segments();
    const [result, ...others] = checked.of('nagle-stall');
    expect(others).toEqual([]);
    expect(result).toMatchObject({
      status: 'warn',
      subject: {
        pid: client.pid,
        fd: client.ready.fd,
        connection: `127.0.0.1:${client.ready.port} -> 127.0.0.1:7000`,
      },
    });
    expect(evidence(result, 'dataSegmentsOut', 'window')).toBeGreaterThan(4);
    expect(evidence(result, 'dataSegmentsOut', 'window')).toBeLessThanOrEqual(after - before);
  });
});

test.for(['nodelay', 'whole'])('the same exchange with %s does not fire', async (flag, ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    await ns.start('stutter.py', 7000, flag);
    await counted(ns, 'TcpInSegs', 500);
    expect((await ns.check(['--only', 'nagle-stall'])).of('nagle-stall')[0]?.status).toBe('pass');
  });
});
