import { expect, test } from 'vitest';
import { type Netns, requireRoot, withNetns } from '../../../support/live.js';

const ARGS = ['--only', 'napi-defer', '--window', '0'];
const read = (ns: Netns, name: string) => ns.run('cat', `/sys/class/net/veth/${name}`);
const write = (ns: Netns, name: string, value: number) =>
  ns.run('sh', '-c', `echo ${value} > /sys/class/net/veth/${name}`);

test('deferring without its timer, the timer without deferring, both without busy polling', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    await ns.peer();
    expect((await ns.check(ARGS)).of('napi-defer')).toMatchObject([{ status: 'pass' }]);

    await write(ns, 'napi_defer_hard_irqs', 2);
    const [alone] = (await ns.check(ARGS)).of('napi-defer');
    expect(alone).toMatchObject({ status: 'info', subject: { interface: 'veth' } });
    expect(alone?.summary).toBe('veth: napi_defer_hard_irqs is 2 but gro_flush_timeout is 0, so it does nothing');

    await ns.run('sh', '-ec', (alone?.remedy?.commands ?? []).join('\n'));
    expect(await read(ns, 'gro_flush_timeout')).toBe('20000');
    expect((await ns.check(ARGS)).of('napi-defer')).toMatchObject([
      { status: 'info', summary: 'veth defers interrupts by up to 20 µs, and nobody is seen to busy-poll' },
    ]);

    await write(ns, 'napi_defer_hard_irqs', 0);
    await write(ns, 'gro_flush_timeout', 50_000);
    expect((await ns.check(ARGS)).of('napi-defer')).toMatchObject([{ status: 'info' }]);
    const [latency] = (await ns.check([...ARGS, '--profile', 'latency'])).of('napi-defer');
    expect(latency).toMatchObject({
      status: 'warn',
      summary: 'veth: gro_flush_timeout alone keeps packets up to 50 µs in GRO',
      remedy: { undo: 'echo 50000 > /sys/class/net/veth/gro_flush_timeout' },
    });
    await ns.run('sh', '-ec', (latency?.remedy?.commands ?? []).join('\n'));
    expect(await read(ns, 'gro_flush_timeout')).toBe('0');
    expect((await ns.check(ARGS)).of('napi-defer')).toMatchObject([{ status: 'pass' }]);
  });
});
