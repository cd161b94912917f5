import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { requireRoot, withNetns } from '../../../support/live.js';

test('select() above 1024 fails, near high descriptors warns; poll() and low descriptors are fine', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const beyond = await ns.start('selecter.c', 1400, 1301);
    const near = await ns.start('selecter.c', 1400, 10);
    const polls = await ns.start('selecter.c', 1400, 0);
    const low = await ns.start('selecter.c', 900, 901);
    const { of } = await ns.check(['--only', 'fd-select', '--window', '1000', '--fail-on', 'never']);
    const about = (pid: number) => of('fd-select').filter((result) => result.subject?.pid === pid);

    const [fails] = about(beyond.pid);
    expect(fails).toMatchObject({ status: 'fail', subject: { comm: 'selecter', tid: beyond.pid } });
    // The kernel's own word on the call that it is blocked in: number, then nfds in hexadecimal.
    const [, nfds] = (await readFile(`/proc/${beyond.pid}/syscall`, 'utf8')).split(' ');
    expect(fails?.evidence.find((e) => e.key === 'nfds')?.value).toBe(Number(nfds));
    expect(fails?.evidence.find((e) => e.key === 'highest')?.value).toBe(1400);

    expect(about(near.pid)).toMatchObject([{ status: 'warn' }]);
    expect(about(polls.pid)).toEqual([]);
    expect(about(low.pid)).toEqual([]);
  });
});
