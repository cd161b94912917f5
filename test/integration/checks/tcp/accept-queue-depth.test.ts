import { expect, test } from 'vitest';
import { ss } from '../../../support/independent.js';
import { evidence, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';

/** The status, with so many connections waiting at a listener with a backlog of 10. */
const waiting = (count: number) =>
  withNetns(async (ns) => {
    const server = await ns.start('listener.py', '127.0.0.1', 0, 10);
    await ns.start('connector.py', '127.0.0.1', server.ready.port, count);
    const [row] = await poll('they wait', async () => {
      const rows = await ss(ns, '-lt');
      return rows[0]?.receive === count ? rows : undefined;
    });
    const results = await ns.only('accept-queue-depth');
    expect(results).toHaveLength(1);
    const [result] = results;
    expect(evidence(result, 'queue')).toBe(row?.receive);
    expect(evidence(result, 'backlog')).toBe(row?.send);
    return { result, server };
  });

test('a queue that stands nearly full is found, a half-empty one is not', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss');
  const nearly = await waiting(10);
  expect(nearly.result).toMatchObject({
    status: 'warn',
    subject: { pid: nearly.server.pid, listener: `127.0.0.1:${nearly.server.ready.port}` },
  });
  expect((await waiting(11)).result?.status).toBe('fail');
  expect((await waiting(5)).result?.status).toBe('pass');
});
