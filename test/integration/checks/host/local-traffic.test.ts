import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Result } from '../../../../src/model/results.js';
import { requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { favoured } from '../../../support/scheduling.js';

/** User and system time in clock ticks, fields 14 and 15 of /proc/PID/stat. */
async function cpuTicks(pid: number) {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8'))
    .replace(/^.*\) /, '')
    .split(' ')
    .map(Number);
  return { user: fields[11] ?? 0, system: fields[12] ?? 0 };
}

const numberOf = (result: Result | undefined, key: string) =>
  Number(result?.evidence.find((e) => e.key === key)?.value);

test('a ping-pong pair is seen as local traffic and as kernel time; a quiet pair and a computing server are not', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'renice');
  await withNetns(async (ns) => {
    const busy = await ns.start('pingpong.c', 'server', 0, 0);
    const client = await ns.start('pingpong.c', 'client', busy.ready.port, 64, 0);
    const computing = await ns.start('pingpong.c', 'server', 0, 20_000);
    await ns.start('pingpong.c', 'client', computing.ready.port, 64, 0);
    const quiet = await ns.start('pingpong.c', 'server', 0, 0);
    await ns.start('pingpong.c', 'client', quiet.ready.port, 64, 200_000);
    for (const victim of [busy, client, computing]) await favoured(victim.pid);

    const before = await cpuTicks(busy.pid);
    const checked = await ns.check(['--only', 'local-traffic', '--only', 'kernel-share', '--window', '2000']);
    const after = await cpuTicks(busy.pid);
    const about = (id: string, pid: number) => checked.of(id).filter((result) => result.subject?.pid === pid);

    const [traffic] = about('local-traffic', busy.pid);
    expect(traffic).toMatchObject({ status: 'info', subject: { comm: 'pingpong' } });
    expect(traffic?.summary).toContain(
      `pingpong (pid ${client.pid}) and pingpong (pid ${busy.pid}) on port ${busy.ready.port}`,
    );
    // Each message is 64 bytes in a segment of its own, both ways.
    const [bytes, segments] = [numberOf(traffic, 'bytes'), numberOf(traffic, 'data segments')];
    expect(segments).toBeGreaterThan(2000);
    expect(bytes / segments).toBeGreaterThan(63);
    expect(bytes / segments).toBeLessThan(65);
    expect(about('local-traffic', quiet.pid)).toEqual([]);
    expect(about('local-traffic', computing.pid)).toEqual([]);

    const [kernel] = about('kernel-share', busy.pid);
    expect(kernel?.status).toBe('info');
    expect(kernel?.summary).toContain('an upper bound');
    const [user, system] = [after.user - before.user, after.system - before.system];
    const share = (100 * system) / (user + system);
    expect(Math.abs(numberOf(kernel, 'kernel share') - share)).toBeLessThan(20);
    expect(numberOf(kernel, 'stime')).toBeLessThanOrEqual(system * 10 + 10);
    expect(about('kernel-share', computing.pid)).toEqual([]);
  });
});
