import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { nstat, ss, ssNumber } from '../../../support/independent.js';
import { type Checked, evidence, requireRoot, requireTool, under, withNetns } from '../../../support/live.js';

const CHECKS = ['receive-prune', 'socket-backlog', 'socket-drops'];
const COUNTERS = ['TcpExtRcvPruned', 'TcpExtOfoPruned', 'TcpExtTCPRcvQDrop', 'TcpExtTCPBacklogDrop'];

/** Twelve connections on which data arrives one after the other, at a server that reads, or does not. */
const receiving = (mode: 'accept' | 'serve') =>
  withNetns(async (ns) => {
    const server = await ns.start('listener.py', '127.0.0.1', 0, 16, mode, 'rcvbuf=500000');
    const senders = await Promise.all(
      Array.from({ length: 12 }, () => ns.start('sender.py', '127.0.0.1', server.ready.port, 0)),
    );
    if (mode === 'accept') await server.ask('shrink 2048', 'shrunk');
    const before = await nstat(ns);
    let next = 0;
    const load = async () => {
      await senders[next++ % senders.length]?.ask('send 60000', 'sent');
      await sleep(300);
    };
    const args = CHECKS.flatMap((id) => ['--only', id]);
    const checked: Checked = await under(load, ns.check([...args, '--window', '2000']));
    const after = await nstat(ns);
    const grown = (counter: string) => (after[counter] ?? 0) - (before[counter] ?? 0);
    return { checked, server, grown, rows: await ss(ns, '-tm', 'state', 'established') };
  });

test('a receiver that does not read, with a window larger than its buffer, throws data away', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'ss', 'nstat');
  const { checked, server, grown, rows } = await receiving('accept');
  const subject = { pid: server.pid, comm: 'python3' };

  const [prune] = checked.of('receive-prune');
  expect(prune).toMatchObject({ status: 'fail', subject });
  expect(evidence(prune, 'TcpExtPruneCalled', 'window')).toBeGreaterThan(0);
  for (const counter of COUNTERS.slice(0, 2))
    expect(evidence(prune, counter, 'window')).toBeLessThanOrEqual(grown(counter));

  const [backlog] = checked.of('socket-backlog');
  expect(backlog).toMatchObject({ status: 'fail', subject });
  expect(evidence(backlog, 'TcpExtTCPRcvQDrop', 'window')).toBeGreaterThan(0);
  expect(evidence(backlog, 'TcpExtTCPRcvQDrop', 'window')).toBeLessThanOrEqual(grown('TcpExtTCPRcvQDrop'));

  const [drops] = checked.of('socket-drops');
  expect(drops).toMatchObject({ status: 'warn', subject });
  const [local, remote] = (drops?.subject?.connection ?? '').split(' -> ');
  const row = rows.find((r) => r.local === local && r.remote === remote);
  expect(evidence(drops, 'drops', 'total')).toBeGreaterThan(0);
  expect(evidence(drops, 'drops', 'total')).toBeLessThanOrEqual(ssNumber(row as never, 'd') ?? 0);
});

test('one that reads what it is sent loses nothing', async (ctx) => {
  requireRoot(ctx);
  const { checked, grown } = await receiving('serve');
  expect(CHECKS.flatMap((id) => checked.of(id).map((result) => result.status))).toEqual(['pass', 'pass', 'pass']);
  expect(COUNTERS.map(grown)).toEqual([0, 0, 0, 0]);
});
