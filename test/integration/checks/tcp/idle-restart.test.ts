import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ss, ssNumber } from '../../../support/independent.js';
import { evidence, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { HERE, wire } from '../../../support/wire.js';

const KEY = 'net.ipv4.tcp_slow_start_after_idle';

/** A connection that has reached a large congestion window and then pauses, again and again. */
const pausing = (slowStart: number) =>
  withNetns(async (ns) => {
    const peer = await ns.peer();
    await wire(ns, peer, 20);
    await peer.sysctl(KEY, slowStart);
    await peer.sysctl('net.ipv4.tcp_congestion_control', 'reno');
    const server = await ns.start('listener.py', HERE, 0, 16, 'serve');
    const client = await peer.start('sender.py', HERE, server.ready.port, 0);
    const [row] = await poll('the congestion window has grown', async () => {
      await client.ask('send 300000', 'sent');
      const rows = await ss(peer, '-ti', 'state', 'established');
      return rows[0] && (ssNumber(rows[0], 'cwnd') ?? 0) >= 60 ? rows : undefined;
    });
    const run = peer.check(['--only', 'idle-restart', '--window', '5000']);
    // Longer than any retransmission timeout of this path; the window is open by then.
    await sleep(3500);
    await client.ask('send 1000', 'sent');
    const results = (await run).of('idle-restart');
    return { results, client, before: ssNumber(row as never, 'cwnd') };
  });

test('a congestion window that is lost to a pause is seen', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss', 'cc');
  const { results, client } = await pausing(1);
  expect(results).toMatchObject([{ status: 'info', subject: { pid: client.pid, key: KEY } }]);
  const [result] = results;
  expect(evidence(result, 'congestion window')).toBeLessThan(
    evidence(result, 'congestion window at the first reading'),
  );
});

test('with the setting off it is kept', async (ctx) => {
  requireRoot(ctx);
  expect((await pausing(0)).results).toMatchObject([{ status: 'pass' }]);
});
