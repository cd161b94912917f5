import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { requireRoot, requireTool, withNetns } from '../../../support/live.js';

const openOf = async (pid: number) => (await readdir(`/proc/${pid}/fd`)).length;

test('over 30 s a process that forgets files is named; busy ones and growing load are not', {
  timeout: 180_000,
}, async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const leaks = await ns.start('leaker.py', 'leak', 4, 900);
    const busy = await ns.start('leaker.py', 'busy', 200, 900);
    const load = await ns.start('leaker.py', 'load', 4, 400);
    const before = await openOf(leaks.pid);
    const loadBefore = await openOf(load.pid);
    const { of } = await ns.check(['--only', 'fd-leak', '--window', '30000', '--fail-on', 'never']);
    const after = await openOf(leaks.pid);
    const about = (pid: number) => of('fd-leak').filter((result) => result.subject?.pid === pid);

    const [result, ...others] = about(leaks.pid);
    expect(others).toEqual([]);
    expect(result).toMatchObject({ status: 'warn', subject: { comm: expect.stringContaining('python') } });
    expect(result?.summary).toContain('at this rate it reaches its limit');
    const gained = Number(result?.evidence.find((e) => e.key === 'open' && e.scope === 'window')?.value);
    expect(gained).toBeGreaterThanOrEqual(20);
    expect(gained).toBeLessThanOrEqual(after - before);

    expect(about(busy.pid)).toEqual([]);
    expect((await openOf(load.pid)) - loadBefore).toBeGreaterThanOrEqual(20);
    expect(about(load.pid)).toEqual([]);
  });
});

test('a listener that a started program inherited is shown with its heir', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ss');
  await withNetns(async (ns) => {
    const open = await ns.start('spawner.py', 'inheritable');
    const closed = await ns.start('spawner.py', 'cloexec');
    const { of } = await ns.check(['--only', 'fd-leak', '--window', '0']);
    const about = (pid: number) => of('fd-leak').filter((result) => result.subject?.pid === pid);

    const [result] = about(open.pid);
    expect(result).toMatchObject({ status: 'info' });
    expect(result?.summary).toContain(
      `sleep (pid ${open.ready.child}) holds its listener 127.0.0.1:${open.ready.port}`,
    );
    const holders = await ns.run('ss', '-Hltnp', 'sport', '=', `:${open.ready.port}`);
    expect(holders).toContain(`pid=${open.ready.child}`);
    expect(about(closed.pid)).toEqual([]);
  });
});
