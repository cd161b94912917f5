import { expect, test } from 'vitest';
import { requireCgroup, withCgroup } from '../../../support/cgroup.js';
import { requireRoot, withNetns } from '../../../support/live.js';

const ARGS = ['--only', 'throttling', '--only', 'run-queue-delay', '--window', '1000', '--fail-on', 'never'];

test('a server that uses its quota up is named with its group; the same group without a quota is not', async (ctx) => {
  requireRoot(ctx);
  requireCgroup(ctx, 'cpu', 'cpu.cfs_quota_us');
  await withCgroup('cpu', (group) =>
    withNetns(async (ns) => {
      const server = await ns.start('pingpong.c', 'server', 0, 20_000);
      await ns.start('pingpong.c', 'client', server.ready.port, 64, 0);
      await group.write('cgroup.procs', server.pid);
      const about = async () =>
        (await ns.check(ARGS)).of('throttling').filter((result) => result.subject?.cgroup === group.path);

      expect(await about()).toEqual([]);

      await group.write('cpu.cfs_period_us', 50_000);
      await group.write('cpu.cfs_quota_us', 5000);
      const throttled = async () => Number(/^nr_throttled (\d+)/m.exec(await group.read('cpu.stat'))?.[1]);
      const before = await throttled();
      const [result, ...others] = await about();
      const after = await throttled();
      expect(others).toEqual([]);
      expect(result).toMatchObject({
        status: 'warn',
        subject: { pid: server.pid, comm: 'pingpong', cgroup: group.path },
      });
      expect(result?.summary).toContain('it may use 0.1 CPUs');
      const source = `${group.folder}/cpu.stat`;
      const seen = result?.evidence.find(
        (e) => e.source === source && e.key === 'nr_throttled' && e.scope === 'window',
      );
      expect(seen?.value).toBeGreaterThan(0);
      expect(seen?.value).toBeLessThanOrEqual(after - before);

      // The history stays in the counters; it is no warning once the quota is gone.
      await group.write('cpu.cfs_quota_us', -1);
      expect(await about()).toMatchObject([{ status: 'info' }]);
    }),
  );
});
