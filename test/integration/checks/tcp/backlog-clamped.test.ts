import { expect, test } from 'vitest';
import { ss } from '../../../support/independent.js';
import { evidence, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';

const KEY = 'net.core.somaxconn';

test('a backlog that somaxconn cut down is found, and a warning once the queue fills', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss');
  await withNetns(async (ns) => {
    await ns.sysctl(KEY, 8);
    const server = await ns.start('listener.py', '127.0.0.1', 0, 64);
    const listener = `127.0.0.1:${server.ready.port}`;
    expect((await ss(ns, '-lt'))[0]?.send).toBe(8);
    expect(await ns.only('backlog-clamped')).toMatchObject([
      { status: 'info', subject: { pid: server.pid, listener, key: KEY } },
    ]);

    await ns.start('connector.py', '127.0.0.1', server.ready.port, 9);
    await poll('nine wait', async () => (await ss(ns, '-lt'))[0]?.receive === 9);
    const [result] = await ns.only('backlog-clamped');
    expect(result).toMatchObject({
      status: 'warn',
      subject: { pid: server.pid, listener },
      remedy: { tunes: [{ key: KEY, from: '8', to: '4096' }], undo: `sysctl -w ${KEY}=8` },
    });
    expect(evidence(result, 'queue')).toBe(9);
  });
});

test('the remedy works: after it and listening again nothing is found', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    await ns.sysctl(KEY, 4096);
    const server = await ns.start('listener.py', '127.0.0.1', 0, 64);
    await ns.start('connector.py', '127.0.0.1', server.ready.port, 9);
    await poll('nine wait', async () => (await ss(ns, '-lt'))[0]?.receive === 9);
    expect(await ns.only('backlog-clamped')).toMatchObject([{ status: 'pass' }]);
  });
});
