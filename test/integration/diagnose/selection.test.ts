import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { collect } from '../../../src/services/diagnose/collect.js';
import type { Target } from '../../../src/services/diagnose/options.js';
import { type Netns, poll, requireRoot, requireTool, type Victim, withNetns } from '../../support/live.js';

/** A hierarchy where making a group changes nothing for the processes in it. */
const HIERARCHY = ['/sys/fs/cgroup/freezer', '/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((point) =>
  existsSync(`${point}/cgroup.procs`),
);

async function inCgroup(
  name: string,
  body: (ns: Netns, victim: Victim, join: (victim: Victim) => void) => Promise<void>,
): Promise<void> {
  const folder = `${HIERARCHY}/${name}`;
  mkdirSync(folder, { recursive: true });
  try {
    await withNetns(async (ns) => {
      const join = ({ pid }: Victim) => writeFileSync(`${folder}/cgroup.procs`, String(pid));
      const victim = await ns.start('listener.py', '127.0.0.1', 0, 1);
      join(victim);
      await body(ns, victim, join);
    });
  } finally {
    await poll(`${folder} is empty`, () => {
      try {
        rmdirSync(folder);
      } catch {
        // EBUSY: a process is still on its way out
      }
      return !existsSync(folder);
    });
  }
}

const take = (target: Partial<Target>) => collect({ target: { pids: [], ...target }, windowMs: 0 });
const listenerPids = (snapshot: Awaited<ReturnType<typeof take>>) =>
  snapshot.readings.at(-1)?.netns.flatMap((net) => net.sockets?.listeners.flatMap((l) => l.owners.map((o) => o.pid)));

test('a unit, a container and a cgroup stand for their processes and their namespace', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'python3');
  if (!HIERARCHY) ctx.skip('no cgroup hierarchy is mounted');
  const id = `${process.pid}`.padStart(64, 'c0ffee');
  const name = `docker-${id}.scope`;
  await inCgroup(name, async (ns, victim) => {
    for (const target of [{ container: id }, { container: id.slice(0, 60) }, { cgroup: `/${name}` }, { unit: name }]) {
      const snapshot = await take(target);
      expect(snapshot.selection).toMatchObject({ pids: [victim.pid], label: expect.any(String) });
      expect(snapshot.netns.map((net) => net.id)).toEqual([ns.id]);
      expect(snapshot.netns[0]).toMatchObject({ name: ns.name, current: false });
      expect(listenerPids(snapshot)).toEqual([victim.pid]);
    }
  });
});

test('a process that joins the group during the window is selected too', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'python3');
  if (!HIERARCHY) ctx.skip('no cgroup hierarchy is mounted');
  const name = `sockdoc-${process.pid}.service`;
  await inCgroup(name, async (ns, victim, join) => {
    const late = await ns.start('listener.py', '127.0.0.1', 0, 1);
    const running = collect({ target: { pids: [], unit: name.replace('.service', '') }, windowMs: 1500 });
    setTimeout(() => join(late), 300);
    const { selection } = await running;
    expect(selection.pids).toEqual([victim.pid, late.pid].toSorted((a, b) => a - b));
  });
});

test('pids stand for their namespaces, each once; a namespace by name or by pid', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'python3');
  await withNetns(async (ns) => {
    const peer = await ns.peer();
    const [a, b, c] = [
      await ns.start('listener.py', '10.99.0.1', 0, 1),
      await ns.start('listener.py', '10.99.0.1', 0, 1),
      await peer.start('listener.py', '10.99.0.2', 0, 1),
    ];
    const both = await take({ pids: [a.pid, b.pid, c.pid] });
    expect(both.netns.map((net) => net.id).toSorted()).toEqual([ns.id, peer.id].toSorted());
    expect(both.selection.pids).toEqual([a.pid, b.pid, c.pid].toSorted((x, y) => x - y));
    for (const netns of [peer.name, String(c.pid)]) {
      const snapshot = await take({ netns });
      expect(snapshot.netns.map((net) => [net.id, net.name])).toEqual([[peer.id, peer.name]]);
      expect(snapshot.selection).toEqual({});
      expect(snapshot.netns[0]?.links.map((link) => link.name).toSorted()).toEqual(['lo', 'veth']);
      expect(listenerPids(snapshot)).toEqual([c.pid]);
    }
    const all = await take({ netns: 'all' });
    expect(all.netns.filter((net) => net.current)).toHaveLength(1);
    expect(all.netns.map((net) => net.id)).toEqual(expect.arrayContaining([ns.id, peer.id]));
    expect(new Set(all.netns.map((net) => net.id)).size).toBe(all.netns.length);
  });
});

test.each([
  [{ pids: [2 ** 22 + 1] }, 4, /no process 4194305/],
  [{ unit: 'sockdoc-no-such-unit' }, 4, /sockdoc-no-such-unit\.service/],
  [{ container: 'sockdoc-no-such' }, 4, /no process runs in a container/],
  [{ cgroup: '/sockdoc/no/such' }, 4, /no process is in the cgroup/],
  [{ netns: 'sockdoc-no-such' }, 4, /no network namespace named/],
])('what does not exist is an error that says so: %j', async (target, code, message) => {
  await expect(take(target)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
    next: expect.any(String),
  });
});
