import os from 'node:os';
import { expect, test } from 'vitest';
import type { Evidence } from '../../../../src/model/results.js';
import { type Netns, poll, requireRoot, requireTool, withNetns } from '../../../support/live.js';
import { favoured, pin, preferred, threadTimes } from '../../../support/scheduling.js';

const CPU = String(os.cpus().length - 1);
const ARGS = ['--only', 'run-queue-delay', '--only', 'context-switches', '--window', '1000', '--fail-on', 'never'];

/** A server that computes for each message, a client that asks, and a hog on the CPU of the server. */
async function crowded(ns: Netns, { workUs, pauseUs }: { workUs: number; pauseUs: number }) {
  const server = await ns.start('pingpong.c', 'server', 0, workUs);
  await ns.start('pingpong.c', 'client', server.ready.port, 64, pauseUs);
  const hog = await ns.start('hog.py', CPU);
  await pin(server.pid, CPU);
  await favoured(server.pid);
  await favoured(hog.pid);
  return server;
}

/** The command, enclosed by readings of our own of the same thread. */
async function measured(ns: Netns, pid: number) {
  const before = await threadTimes(pid);
  const checked = await ns.check(ARGS);
  const after = await threadTimes(pid);
  const delayMs = after.delayMs - before.delayMs;
  const involuntary = after.involuntary - before.involuntary;
  const seconds = (after.atMs - before.atMs) / 1000;
  return { checked, delayMs, share: delayMs / 1000 / seconds, involuntary, rate: involuntary / seconds };
}

const numberOf = (evidence: readonly Evidence[], key: string) => Number(evidence.find((e) => e.key === key)?.value);

test('a hog on the CPU of a server delays its thread and pushes it off', { timeout: 120_000 }, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'taskset');
  await withNetns(async (ns) => {
    // Long work: how soon the client asks again, which others may delay, hardly matters.
    const server = await crowded(ns, { workUs: 100_000, pauseUs: 0 });
    const pushedOff = (run: Awaited<ReturnType<typeof measured>>) =>
      run.checked.of('context-switches').find((result) => result.subject?.pid === server.pid);
    // A crowded machine has longer queues and rarer switches: what is to be found must be there. Our reading is longer
    // than the window of the command, which may have the quieter part of it unless there is much to find.
    const found = await poll(
      'the server waits, and is pushed off 60 times a second',
      async () => {
        const run = await measured(ns, server.pid);
        return run.share > 0.1 && run.rate > 60 && (pushedOff(run) || run.rate > 150) ? run : undefined;
      },
      { deadlineMs: 80_000 },
    );
    const { checked, delayMs, share, involuntary } = found;

    const late = checked.of('run-queue-delay').find((result) => result.subject?.pid === server.pid);
    expect(late).toMatchObject({ status: 'warn', subject: { pid: server.pid, tid: server.pid, comm: 'pingpong' } });
    expect(late?.summary).toContain(`pingpong/${server.pid} waited`);
    // Our reading encloses that of the command, and the load is even: the shares of the wall time are alike. On a crowded
    // machine the command sleeps longer than it wanted to, and says so.
    const delay = numberOf(late?.evidence ?? [], 'run_delay');
    const windowMs = Number(/ of (\d+) ms for a CPU/.exec(late?.summary ?? '')?.[1]);
    expect(delay).toBeLessThanOrEqual(delayMs + 1);
    expect(windowMs).toBeGreaterThanOrEqual(checked.document.windowMs);
    expect(delay / windowMs).toBeGreaterThan(share / 3);
    expect(delay / windowMs).toBeLessThan(share * 3);
    expect(late?.why).toContain(`It may run on CPU ${CPU} only`);

    const pushed = pushedOff(found);
    expect(pushed).toMatchObject({ status: 'warn', subject: { tid: server.pid } });
    const switches = numberOf(pushed?.evidence ?? [], 'nonvoluntary_ctxt_switches');
    expect(switches).toBeGreaterThan(30);
    expect(switches).toBeLessThanOrEqual(involuntary);
  });
});

test('the same server with priority over the hog does not wait, and is not named', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'taskset', 'chrt');
  await withNetns(async (ns) => {
    // Half of the CPU: the kernel takes it from a real-time thread that leaves less than 5 % to the others.
    const server = await crowded(ns, { workUs: 10_000, pauseUs: 10_000 });
    await preferred(server.pid).catch(() => ctx.skip('needs CAP_SYS_NICE and real-time scheduling'));
    const checked = await ns.check(ARGS);
    for (const id of ['run-queue-delay', 'context-switches']) {
      expect(checked.of(id).filter((result) => result.subject?.pid === server.pid)).toEqual([]);
      expect(checked.of(id).length).toBeGreaterThan(0);
    }
  });
});
