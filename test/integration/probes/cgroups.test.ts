import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { findHierarchies } from '../../../src/probes/cgroups/index.js';
import { collect } from '../../../src/services/diagnose/collect.js';
import { poll, requireRoot, requireTool, withNetns } from '../../support/live.js';

let counter = 0;

/** A cgroup of the test's own below the mount point, removed when all processes have left it. */
async function withCgroup(point: string, name: string, body: (folder: string) => Promise<void>): Promise<void> {
  const folder = `${point}/${name}`;
  mkdirSync(folder);
  try {
    await body(folder);
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

const ownName = (kind: string) => `sockdoc-${kind}-${process.pid}-${counter++}`;
const field = (text: string, key: string) => Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1]);

test('a group above its quota is throttled: counts and quota as in its files, seen from ip netns exec too', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'python3');
  const { cpu, unified } = findHierarchies();
  const mount = unified?.controllers.includes('cpu') ? undefined : cpu;
  if (!mount) ctx.skip('needs the cpu controller of cgroup version 1');
  const name = ownName('cpu');
  await withCgroup(mount?.point as string, name, (folder) =>
    withNetns(async (ns) => {
      writeFileSync(`${folder}/cpu.cfs_period_us`, '10000');
      writeFileSync(`${folder}/cpu.cfs_quota_us`, '2000');
      const server = await ns.start('listener.py', '127.0.0.1', 0, 1, 'accept');
      const hog = await ns.start('hog.py', 0);
      for (const { pid } of [server, hog]) writeFileSync(`${folder}/cgroup.procs`, String(pid));
      await poll('it is throttled', () => field(readFileSync(`${folder}/cpu.stat`, 'utf8'), 'nr_throttled') > 3);
      const before = readFileSync(`${folder}/cpu.stat`, 'utf8');
      const { readings } = await collect({ target: { pids: [], netns: ns.name }, windowMs: 300 });
      const after = readFileSync(`${folder}/cpu.stat`, 'utf8');
      const [first, last] = readings.map((reading) => reading.host.cgroups.find((group) => group.path === `/${name}`));
      expect(last).toMatchObject({ version: 1, cpuQuotaCpus: 0.2 });
      expect(last?.pids).toContain(server.pid);
      expect(first?.throttled).toBeGreaterThanOrEqual(field(before, 'nr_throttled'));
      expect(last?.throttled).toBeGreaterThan(first?.throttled as number);
      expect(last?.throttled).toBeLessThanOrEqual(field(after, 'nr_throttled'));
      expect(last?.throttledUs).toBeLessThanOrEqual(field(after, 'throttled_time') / 1000 + 1);
      const throttling = (await ns.check(['--only', 'throttling', '--window', '300'])).of('throttling');
      expect(throttling.map((result) => result.subject?.cgroup)).toContain(`/${name}`);
    }),
  );
});

test('a limit of a group above counts; one without a limit is left out', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'python3');
  const { memory, unified } = findHierarchies();
  const mount = unified?.controllers.includes('memory') ? undefined : memory;
  if (!mount) ctx.skip('needs the memory controller of cgroup version 1');
  const [outer, middle, inner] = [ownName('memory'), 'middle', 'inner'];
  const point = mount?.point as string;
  await withCgroup(point, outer, (top) =>
    withCgroup(top, middle, (between) =>
      withCgroup(between, inner, (folder) =>
        withNetns(async (ns) => {
          writeFileSync(`${top}/memory.limit_in_bytes`, String(512 << 20));
          writeFileSync(`${top}/memory.kmem.tcp.limit_in_bytes`, String(8 << 20));
          const server = await ns.start('listener.py', '127.0.0.1', 0, 1, 'accept');
          writeFileSync(`${folder}/cgroup.procs`, String(server.pid));
          const { readings } = await collect({ target: { pids: [], netns: ns.name }, windowMs: 0 });
          const groups = (readings[0]?.host.cgroups ?? []).filter((group) => group.path.startsWith(`/${outer}`));
          const paths = groups.map((group) => group.path).toSorted();
          expect(paths).toEqual([`/${outer}`, `/${outer}/${middle}/${inner}`]);
          const above = groups.find((group) => group.path === `/${outer}`);
          expect(above).toMatchObject({ memoryLimitBytes: 512 << 20, socketLimitBytes: 8 << 20, pids: [server.pid] });
          const own = groups.find((group) => group.path !== `/${outer}`);
          expect(own?.memoryLimitBytes).toBeUndefined();
          expect(own?.socketFailures).toBe(0);
        }),
      ),
    ),
  );
});
