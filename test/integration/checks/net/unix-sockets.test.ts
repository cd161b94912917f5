import { expect, test } from 'vitest';
import { requireRoot, withNetns } from '../../../support/live.js';
import { evidence } from './support.js';

test('a UNIX listener whose queue is full is named, one with room is not', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const full = await ns.start('unix_queue.py', `@full-${process.pid}`, 9, 10);
    await ns.start('unix_queue.py', `@room-${process.pid}`, 9, 3);
    const listed = await ns.run('ss', '-H', '-xl', 'src', `unix:@full-${process.pid}`);
    const [, queue, backlog] = /LISTEN\s+(\d+)\s+(\d+)/.exec(listed) ?? [];
    const [result, ...others] = (await ns.check(['--only', 'unix-sockets', '--window', '300'])).of('unix-sockets');
    expect(others).toEqual([]);
    expect(result).toMatchObject({
      status: 'fail',
      subject: { pid: full.pid, fd: full.ready.fd, listener: `@full-${process.pid}` },
    });
    expect(evidence(result, 'queue', 'now')).toBe(Number(queue));
    expect(evidence(result, 'backlog', 'now')).toBe(Number(backlog));
  });
});

test('room in the queue passes', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    await ns.start('unix_queue.py', `@room-${process.pid}`, 9, 7);
    expect((await ns.check(['--only', 'unix-sockets', '--window', '300'])).of('unix-sockets')[0]?.status).toBe('pass');
  });
});

test('a thread that waits for room in a datagram queue is named', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const limit = Number(await ns.sysctl('net.unix.max_dgram_qlen'));
    const sender = await ns.start('unix_queue.py', `@dgram-${process.pid}`, 0, 10 * limit, 'dgram');
    const [result] = (await ns.check(['--only', 'unix-sockets', '--window', '300'])).of('unix-sockets');
    expect(result).toMatchObject({ status: 'warn', subject: { pid: sender.pid } });
    const tid = result?.subject?.tid as number;
    expect(await ns.run('cat', `/proc/${sender.pid}/task/${tid}/wchan`)).toBe('unix_wait_for_peer');
  });
});
