import { expect, test } from 'vitest';
import { nstat, ss, ssNumber } from '../../../support/independent.js';
import { evidence, poll, requireRoot, requireTool, under, withNetns } from '../../../support/live.js';

test('a listener that does not accept turns clients away', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss', 'nstat');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    const server = await ns.start('listener.py', '10.99.0.1', 0, 4);
    const local = `10.99.0.1:${server.ready.port}`;
    const clients = await peer.start('connector.py', '10.99.0.1', server.ready.port, 8);
    await poll('the queue is full', async () => (await ss(ns, '-lt'))[0]?.receive === 5);

    const before = await nstat(ns);
    const results = await under(() => clients.ask('more 5', 'opened'), ns.only('listen-overflow'));
    const after = await nstat(ns);

    expect(results).toMatchObject([
      { status: 'fail', subject: { pid: server.pid, comm: 'python3', fd: server.ready.fd, listener: local } },
    ]);
    const [result] = results;
    const grown = evidence(result, 'TcpExtListenOverflows', 'window');
    expect(grown).toBeGreaterThan(0);
    expect(grown).toBeLessThanOrEqual((after.TcpExtListenOverflows ?? 0) - (before.TcpExtListenOverflows ?? 0));
    expect(evidence(result, 'TcpExtListenOverflows', 'total')).toBeGreaterThan(before.TcpExtListenOverflows ?? 0);
    expect(evidence(result, 'TcpExtListenOverflows', 'total')).toBeLessThanOrEqual(after.TcpExtListenOverflows ?? 0);
    const [listener] = await ss(ns, '-ltm');
    expect(evidence(result, 'drops')).toBeLessThanOrEqual(ssNumber(listener as never, 'd') ?? 0);
    expect(evidence(result, 'queue')).toBe(listener?.receive);
    expect(evidence(result, 'backlog')).toBe(listener?.send);
  });
});

test('one that accepts does not, under the same load', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    const server = await ns.start('listener.py', '10.99.0.1', 0, 64, 'accept');
    const clients = await peer.start('connector.py', '10.99.0.1', server.ready.port, 8);
    const results = await under(() => clients.ask('more 5', 'opened'), ns.only('listen-overflow'));
    expect(results).toMatchObject([{ status: 'pass' }]);
    expect((await nstat(ns)).TcpExtListenOverflows).toBe(0);
  });
});
