import { expect, test } from 'vitest';
import { ss } from '../../../support/independent.js';
import { evidence, poll, requireRoot, requireTool, under, withNetns } from '../../../support/live.js';

/** Sixty clients come and go; then more do while the check looks. */
const served = (mode: 'accept' | 'serve') =>
  withNetns(async (ns) => {
    const server = await ns.start('listener.py', '127.0.0.1', 0, 128, mode);
    const clients = await ns.start('connector.py', '127.0.0.1', server.ready.port, 0);
    const closed = async () => (await ss(ns, '-t', 'state', 'close-wait')).length;
    await clients.ask('churn 60', 'churned');
    if (mode === 'accept') await poll('sixty are left', async () => (await closed()) === 60);
    const results = await under(() => clients.ask('churn 2', 'churned'), ns.only('close-wait-leak'));
    return { results, server, left: await closed() };
  });

test('a server that never closes is found, by name and number', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss');
  const { results, server, left } = await served('accept');
  expect(results).toMatchObject([{ status: 'warn', subject: { pid: server.pid, comm: 'python3' } }]);
  expect(evidence(results[0], 'CLOSE_WAIT', 'window')).toBeGreaterThan(0);
  expect(evidence(results[0], 'CLOSE_WAIT', 'now')).toBeGreaterThan(60);
  expect(evidence(results[0], 'CLOSE_WAIT', 'now')).toBeLessThanOrEqual(left);
});

test('one that closes in time is not, under the same load', async (ctx) => {
  requireRoot(ctx);
  const { results } = await served('serve');
  expect(results).toMatchObject([{ status: 'pass' }]);
});
