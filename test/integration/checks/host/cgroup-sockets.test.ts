import { expect, test } from 'vitest';
import { requireCgroup, type TestGroup, withCgroup } from '../../../support/cgroup.js';
import { nstat } from '../../../support/independent.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { startProgram } from '../../../support/victim.js';

const LIMIT = 'memory.kmem.tcp.limit_in_bytes';
const ARGS = ['--only', 'cgroup-sockets', '--window', '300', '--fail-on', 'never'];

const usage = async (group: TestGroup) => Number(await group.read('memory.kmem.tcp.usage_in_bytes'));

/** Sockets are charged to the group in which they were made, and only once the group has had a limit. */
async function withHoarder(limit: number, body: (ns: Netns, group: TestGroup, pid: number) => Promise<void>) {
  await withCgroup('memory', (group) =>
    withNetns(async (ns) => {
      await group.write(LIMIT, limit);
      const prefix = [...group.prefix, 'ip', 'netns', 'exec', ns.name];
      const victim = await startProgram('hoarder.py', [8, 100_000], { prefix });
      try {
        await body(ns, group, victim.pid);
      } finally {
        await victim.stop();
      }
    }),
  );
}

/** Results about the group while its sockets hold a share of the limit; asked again when the use moved meanwhile. */
const judgedAt = (share: number, ns: Netns, group: TestGroup) =>
  poll('the use of the group stands still', async () => {
    const before = await usage(group);
    if (before === 0) return undefined;
    await group.write(LIMIT, Math.ceil(before / share));
    const { of } = await ns.check(ARGS);
    const about = of('cgroup-sockets').filter((result) => result.subject?.cgroup === group.path);
    return (await usage(group)) === before ? { about, before } : undefined;
  });

test('sockets near the limit of their group warn and fail, and pass when there is room', async (ctx) => {
  requireRoot(ctx);
  requireCgroup(ctx, 'memory', LIMIT);
  await withHoarder(2 ** 30, async (ns, group, pid) => {
    expect((await judgedAt(0.1, ns, group)).about).toEqual([]);

    const { about, before } = await judgedAt(0.87, ns, group);
    expect(about).toMatchObject([{ status: 'warn', subject: { pid, cgroup: group.path } }]);
    const seen = (key: string) => about[0]?.evidence.find((e) => e.key === key)?.value;
    expect(seen('usage')).toBe(before);
    expect(seen('limit')).toBe(Number(await group.read(LIMIT)));

    expect((await judgedAt(0.97, ns, group)).about).toMatchObject([{ status: 'fail' }]);
  });
});

test('a group whose sockets are beyond their limit fails, while the kernel drops what they receive', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'nstat');
  requireCgroup(ctx, 'memory', LIMIT);
  await withHoarder(128 * 1024, async (ns, group, pid) => {
    await poll('segments are dropped', async () => ((await nstat(ns)).TcpExtTCPRcvQDrop ?? 0) > 0);
    const { of } = await ns.check(ARGS);
    const [result] = of('cgroup-sockets').filter((found) => found.subject?.cgroup === group.path);
    expect(result).toMatchObject({ status: 'fail', subject: { pid } });
    // The recommendation raises, to more than what is used.
    const wanted = Number(/^echo (\d+) /.exec(result?.remedy?.commands[0] ?? '')?.[1]);
    expect(wanted).toBeGreaterThan(await usage(group));
  });
});
