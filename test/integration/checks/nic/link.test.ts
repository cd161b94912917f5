import { expect, test } from 'vitest';
import { requireRoot, requireTool, withNetns } from '../../../support/live.js';

const ARGS = ['--only', 'link', '--window', '0'];

test('an interface with an address whose other end is down', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const other = await ns.peer();
    expect(await ns.run('cat', '/sys/class/net/veth/carrier')).toBe('1');
    expect((await ns.check(ARGS)).of('link')).toMatchObject([{ status: 'pass', subject: { interface: 'veth' } }]);

    await other.run('ip', 'link', 'set', 'veth', 'down');
    expect(await ns.run('cat', '/sys/class/net/veth/carrier')).toBe('0');
    const { exitCode, of } = await ns.check(ARGS);
    expect(of('link')).toMatchObject([
      {
        status: 'warn',
        subject: { interface: 'veth' },
        summary: 'veth is set up and has the address 10.99.0.1, but has no carrier',
      },
    ]);
    expect(exitCode).toBe(0);

    await ns.run('ip', 'address', 'flush', 'dev', 'veth', 'scope', 'global');
    expect((await ns.check(ARGS)).of('link')).toMatchObject([{ status: 'pass' }]);
  });
});

test('duplex and speed of a tun device are what somebody wrote there: no finding', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ethtool');
  await withNetns(async (ns) => {
    await ns.run('ip', 'tuntap', 'add', 'dev', 'tap0', 'mode', 'tap');
    await ns.run('ip', 'address', 'add', '10.98.0.1/24', 'dev', 'tap0');
    await ns.run('ip', 'link', 'set', 'tap0', 'up');
    await ns.run('ethtool', '-s', 'tap0', 'speed', '10', 'duplex', 'half', 'autoneg', 'off');
    expect(await ns.run('ethtool', 'tap0')).toMatch(/Duplex: Half/);
    expect((await ns.check(ARGS)).of('link')).toMatchObject([{ status: 'not-applicable' }]);
  });
});
