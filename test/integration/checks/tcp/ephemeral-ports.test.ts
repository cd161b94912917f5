import { expect, test } from 'vitest';
import { ss } from '../../../support/independent.js';
import { evidence, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';

/** The finding with so many connections out of a range of 100 ports. */
const using = (count: number, body: 'hold' | 'churn' = 'hold') =>
  withNetns(async (ns) => {
    const peer = await ns.peer();
    await ns.sysctl('net.ipv4.ip_local_port_range', '40000 40099');
    const server = await peer.start('listener.py', '10.99.0.2', 0, 128, 'serve');
    const holding = body === 'hold' ? count : 0;
    const client = await ns.start('connector.py', '10.99.0.2', server.ready.port, holding, '10.99.0.1');
    if (body === 'churn') await client.ask(`churn ${count}`, 'churned');
    const state = body === 'churn' ? 'time-wait' : 'established';
    // Now and then the kernel lets a connection take over the port of one that waits.
    const least = body === 'churn' ? count - 3 : count;
    await poll('all are there', async () => (await ss(ns, '-t', 'state', state)).length >= least);
    const results = (await ns.check(['--only', 'ephemeral-ports', '--window', '0'])).of('ephemeral-ports');
    expect(results).toHaveLength(1);
    const connection = `10.99.0.1 -> 10.99.0.2:${server.ready.port}`;
    const waiting = (await ss(ns, '-t', 'state', 'time-wait')).length;
    return { result: results[0], client, connection, rows: await ss(ns, '-ta'), waiting };
  });

test('nearly all ports towards one destination: fail; many: warn; half: pass', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss');
  const nearly = await using(96);
  expect(nearly.result).toMatchObject({
    status: 'fail',
    subject: { pid: nearly.client.pid, connection: nearly.connection },
    remedy: {
      commands: ['sysctl -w "net.ipv4.ip_local_port_range=10240 65535"'],
      undo: 'sysctl -w "net.ipv4.ip_local_port_range=40000 40099"',
    },
  });
  expect(evidence(nearly.result, 'local ports in use')).toBe(nearly.rows.length);
  expect((await using(85)).result?.status).toBe('warn');
  expect((await using(50)).result?.status).toBe('pass');
});

test('ports in TIME_WAIT count where they may not be taken over', async (ctx) => {
  requireRoot(ctx);
  const { result, waiting } = await using(85, 'churn');
  expect(result?.status).toBe('warn');
  expect(evidence(result, 'in TIME_WAIT')).toBe(waiting);
  expect(waiting).toBeGreaterThan(80);
});
