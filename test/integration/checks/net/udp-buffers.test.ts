import { expect, test } from 'vitest';
import { nstat } from '../../../support/independent.js';
import { requireRoot, withNetns } from '../../../support/live.js';
import { agrees, counted } from './support.js';

test.for<[string, string, string]>([
  ['127.0.0.1', '127.0.0.1:6000', 'UdpRcvbufErrors'],
  ['::1', '[::1]:6000', 'Udp6RcvbufErrors'],
])('a socket at %s that is not read loses datagrams, and is named', async ([address, listener, counter], ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const deaf = await ns.start('udp_deaf.py', address, 6000, 4096);
    await ns.start('udp_drip.py', address, 6000, 500, 2);
    await counted(ns, counter, 10);
    const before = await nstat(ns);
    const checked = await ns.check(['--only', 'udp-buffers']);
    const after = await nstat(ns);
    const [result, ...others] = checked.of('udp-buffers');
    expect(others).toEqual([]);
    expect(result).toMatchObject({ status: 'fail', subject: { pid: deaf.pid, fd: deaf.ready.fd, listener } });
    expect(checked.exitCode).toBe(1);
    agrees(result, counter, before, after);
  });
});

test('a socket that is read loses none', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    await ns.start('udp_deaf.py', '127.0.0.1', 6000, 200_000, 'read');
    await ns.start('udp_drip.py', '127.0.0.1', 6000, 500, 2);
    await counted(ns, 'UdpInDatagrams', 50);
    expect((await ns.check(['--only', 'udp-buffers'])).of('udp-buffers')[0]?.status).toBe('pass');
  });
});
