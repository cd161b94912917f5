import { expect, test } from 'vitest';
import { ss, ssNumber } from '../../../support/independent.js';
import { poll, requireRoot, withNetns } from '../../../support/live.js';
import { counted, evidence } from './support.js';

test('a program that does not read is named with its connection', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    const deaf = await ns.start('sink.py', '0.0.0.0', 5000, 'stall');
    const source = await peer.start('source.py', '10.99.0.1', 5000, 100_000, 5);
    await counted(ns, 'TcpExtTCPToZeroWindowAdv');
    const row = await poll('nothing received for 1.5 s', async () => {
      const [found] = await ss(ns, '-tim', 'state', 'established');
      return found && (ssNumber(found, 'lastrcv') ?? 0) > 1500 && found;
    });
    const [result, ...others] = (await ns.check(['--only', 'zero-window'])).of('zero-window');
    expect(others).toEqual([]);
    expect(result).toMatchObject({
      status: 'warn',
      subject: { pid: deaf.pid, connection: `10.99.0.1:5000 -> 10.99.0.2:${source.ready.port}` },
    });
    expect(evidence(result, 'receive queue', 'now')).toBe(row.receive);
    expect((await peer.check(['--only', 'zero-window'])).of('zero-window')[0]?.status).toBe('pass');
  });
});

test('a program that reads does not fire', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    await ns.start('sink.py', '0.0.0.0', 5000);
    await peer.start('source.py', '10.99.0.1', 5000, 10_000, 20);
    await counted(ns, 'TcpInSegs', 100);
    expect((await ns.check(['--only', 'zero-window'])).of('zero-window')[0]?.status).toBe('pass');
  });
});
