import os from 'node:os';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { Frame } from '../../../src/model/views/frame.js';
import type { ProcessRow } from '../../../src/model/views/processes.js';
import { requireCgroup, withCgroup } from '../../support/cgroup.js';
import { amount, framesUntil } from '../../support/frames.js';
import { type Netns, requireRoot, requireTool, type Victim, withNetns } from '../../support/live.js';
import { pin, type ThreadTimes, threadTimes } from '../../support/scheduling.js';

const CPU = String(os.cpus().length - 1);
const LEAST_MS = 4000;

/** Windows of a few seconds together, and what /proc said of the same thread at both ends of them. */
async function watched(ns: Netns, server: Victim) {
  const readings: ThreadTimes[] = [];
  const all = await framesUntil({ netns: ns.name }, {}, async () => {
    readings.push(await threadTimes(server.pid));
    return (readings.at(-1)?.atMs ?? 0) - (readings[1]?.atMs ?? Number.NaN) > LEAST_MS;
  });
  // The second is the first of the windows that follow: what lies before it is short.
  const [begin, end] = [readings[1], readings.at(-1)] as [ThreadTimes, ThreadTimes];
  const frames = all.slice(2);
  const row = (frame: Frame) => frame.processes.find(({ pid }) => pid === server.pid);
  const seconds = frames.reduce((sum, frame) => sum + frame.intervalMs, 0) / 1000;
  return {
    frames,
    mean: (field: 'cpuShare' | 'runDelayMsPerS' | 'involuntarySwitchesPerS') =>
      amount(frames, (frame) => row(frame)?.[field]) / seconds,
    rows: frames.map(row) as ProcessRow[],
    /** By second of wall time, from /proc. */
    independent: {
      cpuShare: (end.runMs - begin.runMs) / (end.atMs - begin.atMs),
      runDelayMsPerS: ((end.delayMs - begin.delayMs) * 1000) / (end.atMs - begin.atMs),
      involuntarySwitchesPerS: ((end.involuntary - begin.involuntary) * 1000) / (end.atMs - begin.atMs),
    },
  };
}

/** A server that computes for a client that never pauses. */
async function busyServer(ns: Netns) {
  const server = await ns.start('pingpong.c', 'server', 0, 10_000);
  await ns.start('pingpong.c', 'client', server.ready.port, 64, 0);
  return server;
}

const expectWithin = (value: number, expected: number, margin = expected * 0.1) => {
  expect(value).toBeGreaterThan(expected - margin);
  expect(value).toBeLessThan(expected + margin);
};

test('four hogs on the CPU of a server: its run-queue delay is that of schedstat', { timeout: 90_000 }, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'taskset', 'stress-ng');
  await withNetns(async (ns) => {
    const server = await busyServer(ns);
    await pin(server.pid, CPU);
    const hogs = execa('stress-ng', ['--quiet', '--cpu', '4', '--taskset', CPU, '--timeout', '60'], { reject: false });
    try {
      const { mean, independent } = await watched(ns, server);
      expect(independent.runDelayMsPerS).toBeGreaterThan(300); // five want one CPU
      expectWithin(mean('runDelayMsPerS'), independent.runDelayMsPerS);
      expectWithin(mean('cpuShare'), independent.cpuShare);
      const switches = independent.involuntarySwitchesPerS;
      // Of few, two more or less between the two readings are much.
      expectWithin(mean('involuntarySwitchesPerS'), switches, switches * 0.1 + 2500 / LEAST_MS);
    } finally {
      hogs.kill('SIGINT'); // it ends its own
      await hogs;
    }
  });
});

test('a server in a group with three tenths of a CPU shows three tenths', { timeout: 90_000 }, async (ctx) => {
  requireRoot(ctx);
  requireCgroup(ctx, 'cpu', 'cpu.cfs_quota_us');
  await withCgroup('cpu', (group) =>
    withNetns(async (ns) => {
      const server = await busyServer(ns);
      await group.write('cpu.shares', 20_000); // before all others, so that the quota is all that holds it back
      await group.write('cpu.cfs_period_us', 20_000);
      await group.write('cpu.cfs_quota_us', 6000);
      await group.write('cgroup.procs', server.pid);
      const { mean, independent, rows } = await watched(ns, server);
      expectWithin(mean('cpuShare'), independent.cpuShare);
      expectWithin(mean('cpuShare'), 0.3);
      // It computes: hardly any of its time is the kernel's.
      for (const row of rows) expect(row.kernelShare).toBeLessThan(0.3);
    }),
  );
});
