import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { requireRoot, withNetns } from '../../../support/live.js';

const ARGS = ['--only', 'fd-limit', '--window', '0', '--fail-on', 'never'];

test('processes at 90 % and 97 % of their limit are named, one at 50 % and a sandbox are not', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const near = await ns.start('descriptors.py', 450, 500);
    const full = await ns.start('descriptors.py', 485, 500);
    const healthy = await ns.start('descriptors.py', 250, 500);
    const sandbox = await ns.start('descriptors.py', 10, 10);
    const { of, exitCode } = await ns.check(ARGS);
    const about = (pid: number) => of('fd-limit').filter((result) => result.subject?.pid === pid);

    expect(exitCode).toBe(0);
    for (const [victim, status] of [
      [near, 'warn'],
      [full, 'fail'],
    ] as const) {
      const [result, ...others] = about(victim.pid);
      expect(others).toEqual([]);
      expect(result?.status).toBe(status);
      const open = (await readdir(`/proc/${victim.pid}/fd`)).length;
      expect(open).toBe(victim.ready.open);
      expect(result?.evidence).toContainEqual({
        ...{ source: `/proc/${victim.pid}/fd`, key: 'open', value: open, unit: '1', scope: 'now' },
        subject: result?.subject,
      });
      expect(result?.evidence.find((e) => e.key === 'Max open files (soft)')?.value).toBe(500);
    }
    expect(about(healthy.pid)).toEqual([]);
    expect(about(sandbox.pid)).toEqual([]);
  });
});

test('its remedy works and can be undone, and the default threshold of the exit code sees it', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const full = await ns.start('descriptors.py', 485, 500);
    const bad = await ns.check(['--only', 'fd-limit', '--window', '0', '--pid', String(full.pid)]);
    expect(bad.exitCode).toBe(1);
    const remedy = bad.of('fd-limit')[0]?.remedy;
    await ns.run('sh', '-c', remedy?.commands[0] ?? 'false').catch(() => ctx.skip('may not raise a hard limit here'));
    const good = await ns.check(['--only', 'fd-limit', '--window', '0', '--pid', String(full.pid)]);
    expect(good.of('fd-limit').map((result) => result.status)).toEqual(['pass']);
    await ns.run('sh', '-c', remedy?.undo ?? 'false');
    const limit = await ns.run('prlimit', '--pid', full.pid, '--nofile', '--output', 'SOFT', '--noheadings');
    expect(Number(limit)).toBe(500);
  });
});
