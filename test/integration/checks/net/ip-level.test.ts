import { expect, test } from 'vitest';
import { nstat } from '../../../support/independent.js';
import { type Netns, requireRoot, withNetns } from '../../../support/live.js';
import { agrees, counted } from './support.js';

async function judged(ns: Netns, counter: string) {
  const before = await nstat(ns);
  const results = (await ns.check(['--only', 'ip-level'])).of('ip-level');
  const after = await nstat(ns);
  const result = results.find((r) => r.evidence.some((e) => e.key === counter && e.scope === 'window'));
  agrees(result, counter, before, after);
  return result;
}

test('datagrams whose fragments do not all arrive', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await ns.sysctl('net.ipv4.ipfrag_time', 1);
    await peer.start('fragments.py', '10.99.0.1', 10);
    await counted(ns, 'IpReasmFails', 20);
    expect((await judged(ns, 'IpReasmFails'))?.status).toBe('fail');
  });
});

test('packets for which there is no route, out and in', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await ns.start('udp_drip.py', '203.0.113.1', 6000, 100, 20);
    await counted(ns, 'IpOutNoRoutes', 5);
    expect((await judged(ns, 'IpOutNoRoutes'))?.status).toBe('warn');

    await ns.sysctl('net.ipv4.ip_forward', 1);
    await peer.run('ip', 'route', 'add', 'default', 'via', '10.99.0.1');
    await peer.start('udp_drip.py', '198.51.100.1', 6000, 100, 20);
    await counted(ns, 'IpExtInNoRoutes', 5);
    expect((await judged(ns, 'IpExtInNoRoutes'))?.status).toBe('warn');
  });
});

test('whole datagrams with a route pass', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await ns.start('udp_deaf.py', '10.99.0.1', 6000, 0, 'read');
    await peer.start('udp_drip.py', '10.99.0.1', 6000, 4000, 10);
    await counted(ns, 'IpReasmOKs', 10);
    const [result] = (await ns.check(['--only', 'ip-level'])).of('ip-level');
    expect(result?.status).toBe('pass');
  });
});
