import { expect, test } from 'vitest';
import { nstat, ss } from '../../../support/independent.js';
import { evidence, poll, requireRoot, requireTool, under, withNetns } from '../../../support/live.js';

const BACKLOG = 32;
/** Current kernels let one more in than the backlog says. */
const FULL = BACKLOG + 1;

/** Clients at 10.99.0.2 never answer and keep the SYN queue full; those at 10.99.0.3 are real. */
const busy = (real: number, silent: number) =>
  withNetns(async (ns) => {
    const peer = await ns.peer();
    await peer.run('ip', 'address', 'add', '10.99.0.3/24', 'dev', 'veth');
    await peer.run('nft', 'add table inet t; add chain inet t in { type filter hook input priority 0; }');
    await peer.run('nft', 'add rule inet t in ip daddr 10.99.0.2 tcp flags & (syn|ack) == syn|ack drop');
    const server = await ns.start('listener.py', '10.99.0.1', 0, BACKLOG, 'accept');
    const fill = await peer.start('connector.py', '10.99.0.1', server.ready.port, FULL, '10.99.0.2');
    const clients = await peer.start('connector.py', '10.99.0.1', server.ready.port, 0, '10.99.0.3');
    await poll('the SYN queue is full', async () => (await ss(ns, '-t', 'state', 'syn-recv')).length >= BACKLOG);
    const load = async () => {
      // The kernel gives half-open connections up sooner when many wait: keep the queue full.
      const missing = Math.max(0, FULL - (await ss(ns, '-t', 'state', 'syn-recv')).length);
      await fill.ask(`more ${missing + silent}`, 'opened');
      if (real > 0) await clients.ask(`more ${real}`, 'opened');
    };
    const before = await nstat(ns);
    const results = await under(load, ns.only('syncookies'));
    const after = await nstat(ns);
    return { results, sent: (after.TcpExtSyncookiesSent ?? 0) - (before.TcpExtSyncookiesSent ?? 0) };
  });

test('cookies that clients send back are overload', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss', 'nft', 'nstat');
  const { results, sent } = await busy(10, 0);
  expect(results).toMatchObject([{ status: 'warn' }]);
  const [result] = results;
  expect(evidence(result, 'TcpExtSyncookiesSent', 'window')).toBeLessThanOrEqual(sent);
  expect(evidence(result, 'TcpExtSyncookiesRecv', 'window')).toBeGreaterThan(0);
});

test('cookies that nobody sends back are a flood, which they absorb', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nft');
  expect((await busy(0, 10)).results).toMatchObject([{ status: 'info', summary: expect.stringContaining('flood') }]);
});

test('clients that find room get no cookie', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const server = await ns.start('listener.py', '127.0.0.1', 0, 1024, 'accept');
    const clients = await ns.start('connector.py', '127.0.0.1', server.ready.port, 0);
    expect(await under(() => clients.ask('more 5', 'opened'), ns.only('syncookies'))).toMatchObject([
      { status: 'pass' },
    ]);
  });
});
