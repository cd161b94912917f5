import { expect, test } from 'vitest';
import { requireRoot, requireTool, withNetns } from '../../../support/live.js';

const KEY = 'net.core.optmem_max';

test('a program that uses SO_ZEROCOPY with little option memory and a small limit of locked memory', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'prlimit');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    if (!(await ns.run('sh', '-c', 'test -w /proc/sys/net/core/optmem_max && echo yes || echo no')).includes('yes'))
      ctx.skip(`${KEY} is not of the namespace on this kernel`);
    const server = await peer.start('listener.py', '10.99.0.2', 0, 8, 'serve');
    const user = await ns.start('sender.py', '10.99.0.2', server.ready.port, 20_000, 'zerocopy', 'paced');
    await ns.run('prlimit', '--pid', user.pid, '--memlock=65536:');
    await ns.sysctl(KEY, 20_480);
    const results = await ns.only('zerocopy-memory');
    expect(results).toMatchObject([
      { status: 'warn', subject: { pid: user.pid, key: KEY } },
      { status: 'warn', subject: { pid: user.pid } },
    ]);
    for (const command of results.flatMap((result) => result.remedy?.commands ?? [])) await ns.run('sh', '-c', command);
    expect(await ns.sysctl(KEY)).toBe('131072');
    expect(await ns.only('zerocopy-memory')).toMatchObject([{ status: 'pass' }]);
  });
});

test('without a user the values alone are nothing', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const server = await ns.start('listener.py', '127.0.0.1', 0, 8, 'serve');
    await ns.start('sender.py', '127.0.0.1', server.ready.port, 20_000, 'paced');
    expect(await ns.only('zerocopy-memory')).toMatchObject([{ status: 'not-applicable' }]);
  });
});
