import { readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { conns, rowOf } from '../../support/conns.js';
import { poll, requireRoot, requireTool, under, withNetns } from '../../support/live.js';

test('the other end, in the same namespace and in another that was read', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    const server = await ns.start('listener.py', '10.99.0.1', 0, 16, 'accept');
    const client = await peer.start('sender.py', '10.99.0.1', server.ready.port, 0);
    const same = await ns.start('sender.py', '10.99.0.1', server.ready.port, 0);
    const port = ['--filter', `port:${server.ready.port}`];
    const far = `${client.ready.local}`;
    const all = await poll('both connections were accepted', async () => {
      const document = await conns(ns, ['--netns', 'all', ...port]);
      return document.connections.filter(({ peer: other }) => other).length === 4 ? document : undefined;
    });
    expect(rowOf(all, far)).toMatchObject({
      netns: peer.name,
      pid: client.pid,
      isLocal: true,
      peer: { pid: server.pid, comm: 'python3' },
    });
    const accepted = all.connections.find(({ remote }) => remote === far);
    expect(accepted).toMatchObject({ pid: server.pid, peer: { pid: client.pid, fd: client.ready.fd }, isLocal: true });
    expect(accepted).not.toHaveProperty('netns');

    // Of one namespace alone the end in the other is a stranger; one's own address is not.
    const alone = await conns(ns, port);
    expect(alone.connections.find(({ remote }) => remote === far)).toMatchObject({ isLocal: false });
    expect(rowOf(alone, same.ready.local)).toMatchObject({ isLocal: true, peer: { pid: server.pid } });
    const local = await conns(ns, [...port, '--local', '--state', 'established']);
    expect(local.connections.map(({ local: end }) => end).toSorted()).toEqual(
      [same.ready.local, same.ready.remote].toSorted(),
    );

    // A process selects its own sockets in its own namespace.
    const [own, ...more] = (await conns(ns, ['--pid', String(client.pid)])).connections;
    expect(more).toEqual([]);
    expect(own).toMatchObject({ local: far, netns: peer.name, pid: client.pid });
    expect(readlinkSync(`/proc/${client.pid}/ns/net`)).toContain(peer.id);
  });
});

test('without root: every socket is there, whose processes are missing is said', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'setpriv');
  await withNetns(async (ns) => {
    await ns.start('sockets.py');
    const whole = await conns(ns);
    const { connections, totals, gaps } = await conns(ns, [], { as: 65_534 });
    // What carries them is said by monitors, which tell each user his own.
    const { transports: _whole, ...all } = whole.totals ?? {};
    const { transports, ...seen } = totals ?? {};
    expect(seen).toEqual(all);
    expect(transports?.every(({ transport }) => transport === 'kernel')).toBe(true);
    expect(connections.every((row) => row.pid === undefined && row.ownerCount === 0)).toBe(true);
    const held = whole.connections.filter(({ ownerCount }) => ownerCount > 0).length;
    expect(held).toBeGreaterThan(5);
    const [gap] = gaps.filter(({ probe }) => probe === 'sockets');
    expect(gap?.what).toBe(`the processes of ${held} sockets`);
    expect(gap?.needs).toContain('CAP_SYS_PTRACE');
    expect(connections.some(({ rttUs }) => rttUs !== undefined)).toBe(true);
  });
});

test('what begins and ends within the window is counted', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip');
  await withNetns(async (ns) => {
    const server = await ns.start('listener.py', '127.0.0.1', 0, 64, 'serve');
    const client = await ns.start('connector.py', '127.0.0.1', server.ready.port, 0);
    const { shortLived, totals } = await under(
      () => client.ask('churn 10', 'churned'),
      conns(ns, ['--window', '1500']),
    );
    expect(shortLived?.ended).toBeGreaterThanOrEqual(20);
    expect(shortLived?.by.map(({ port }) => port)).toContain(server.ready.port);
    expect(totals?.sendBps).toBeGreaterThanOrEqual(0);
    const once = await conns(ns);
    expect(once).not.toHaveProperty('shortLived');
    expect(once.totals).not.toHaveProperty('sendBps');
  });
});
