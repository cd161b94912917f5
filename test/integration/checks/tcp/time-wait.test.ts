import { expect, test } from 'vitest';
import { nstat, ss } from '../../../support/independent.js';
import { evidence, requireRoot, requireTool, under, withNetns } from '../../../support/live.js';

const KEY = 'net.ipv4.tcp_max_tw_buckets';

const churning = (limit: number) =>
  withNetns(async (ns) => {
    await ns.sysctl(KEY, limit);
    const server = await ns.start('listener.py', '127.0.0.1', 0, 128, 'serve');
    const clients = await ns.start('connector.py', '127.0.0.1', server.ready.port, 0);
    await clients.ask('churn 20', 'churned');
    const before = await nstat(ns);
    const results = await under(() => clients.ask('churn 5', 'churned'), ns.only('time-wait'));
    const after = await nstat(ns);
    const counter = 'TcpExtTCPTimeWaitOverflow';
    return {
      results,
      grown: (after[counter] ?? 0) - (before[counter] ?? 0),
      held: (await ss(ns, '-t', 'state', 'time-wait')).length,
    };
  });

test('a table of TIME_WAIT that is too small is found', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss', 'nstat');
  const { results, grown, held } = await churning(5);
  expect(results).toMatchObject([
    { status: 'warn', subject: { key: KEY }, remedy: { tunes: [{ key: KEY, from: '5', to: '262144' }] } },
  ]);
  const [result] = results;
  expect(evidence(result, 'TcpExtTCPTimeWaitOverflow', 'window')).toBeGreaterThan(0);
  expect(evidence(result, 'TcpExtTCPTimeWaitOverflow', 'window')).toBeLessThanOrEqual(grown);
  expect(evidence(result, 'TCP.tw')).toBe(held);
});

test('the same connections in a table of the usual size are nothing', async (ctx) => {
  requireRoot(ctx);
  const { results, grown } = await churning(131_072);
  expect(results).toMatchObject([{ status: 'pass' }]);
  expect(grown).toBe(0);
});
