import { expect, test } from 'vitest';
import { nstat } from '../../../support/independent.js';
import { requireRoot, withNetns } from '../../../support/live.js';
import { agrees, counted } from './support.js';

const FILTERED = 'TcpExtIPReversePathFilter';

test('an asymmetric path meets strict filtering; loose filtering lets it through', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await ns.run('ip', 'link', 'add', 'second', 'type', 'veth', 'peer', 'name', 'second', 'netns', peer.name);
    await ns.run('ip', 'address', 'add', '10.98.0.1/24', 'dev', 'second');
    await ns.run('ip', 'link', 'set', 'second', 'up');
    await peer.run('ip', 'address', 'add', '10.98.0.2/24', 'dev', 'second');
    await peer.run('ip', 'link', 'set', 'second', 'up');
    await ns.run('ip', 'route', 'add', 'default', 'via', '10.99.0.2');
    await ns.run('ip', 'route', 'add', '192.0.2.0/24', 'via', '10.98.0.2');
    // The peer sends from an address whose answers leave by the first uplink, into the second.
    await peer.run('ip', 'address', 'add', '203.0.113.7/32', 'dev', 'lo');
    await peer.run('ip', 'route', 'add', '10.98.0.1/32', 'dev', 'second', 'src', '203.0.113.7');
    for (const name of ['all', 'veth', 'second']) await ns.sysctl(`net.ipv4.conf.${name}.rp_filter`, 0);
    await peer.start('udp_drip.py', '10.98.0.1', 6000, 100, 10);
    await counted(ns, 'UdpNoPorts', 5);
    expect((await ns.check(['--only', 'multihoming'])).of('multihoming')[0]?.status).toBe('pass');

    await ns.sysctl('net.ipv4.conf.second.rp_filter', 1);
    await counted(ns, FILTERED, 5);
    const before = await nstat(ns);
    const [result] = (await ns.check(['--only', 'multihoming'])).of('multihoming');
    const after = await nstat(ns);
    expect(result).toMatchObject({
      status: 'fail',
      subject: { interface: 'second' },
      remedy: { commands: ['sysctl -w net.ipv4.conf.second.rp_filter=2'] },
    });
    agrees(result, FILTERED, before, after);

    await ns.sysctl('net.ipv4.conf.second.rp_filter', 2);
    expect((await ns.check(['--only', 'multihoming'])).of('multihoming')[0]?.status).not.toBe('fail');
  });
});

test('one uplink is not judged', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    await ns.peer();
    await ns.run('ip', 'route', 'add', 'default', 'via', '10.99.0.2');
    expect((await ns.check(['--only', 'multihoming', '--window', '100'])).of('multihoming')[0]?.status).toBe(
      'not-applicable',
    );
  });
});
