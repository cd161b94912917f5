import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { ThreadRow } from '../../../src/model/views/scheduler.js';
import { SchedulerReader, type SchedulerReading } from '../../../src/services/views/scheduler.js';
import { requireRoot, requireTool } from '../../support/live.js';
import { favoured, pin, preferred, threadTimes } from '../../support/scheduling.js';
import { startProgram } from '../../support/victim.js';

const CPU = cpusOnline() - 1;

/** The last that is online: the machine's own housekeeping is mostly on the first. */
function cpusOnline(): number {
  return [...readFileSync('/proc/stat', 'utf8').matchAll(/^cpu\d+ /gm)].length;
}

const contextSwitches = () => Number(/^ctxt (\d+)/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]);
const timeslices = (pid: number) => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[2]);

async function times(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const voluntary = Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1]);
  return { ...(await threadTimes(pid)), voluntary, timeslices: timeslices(pid) };
}

type Counter = 'runMs' | 'delayMs' | 'involuntary' | 'voluntary' | 'timeslices';

const takeAll = async (pids: readonly number[]) => ({
  switches: contextSwitches(),
  of: await Promise.all(pids.map(times)),
});

/**
 * One window of sockdoc, with readings of our own just within it and just around it: what it counted lies between them,
 * however long a reading takes on a busy machine.
 */
async function measure(pids: readonly number[], windowMs: number) {
  const reader = new SchedulerReader();
  const read = () => reader.read({ processes: [], pids, limit: 100 });
  try {
    await read(); // attaches, which takes longer
    const early = await takeAll(pids);
    await read();
    const begin = await takeAll(pids);
    await sleep(windowMs);
    const end = await takeAll(pids);
    const reading = await read();
    const late = await takeAll(pids);
    const bounds = (at: number, key: Counter) => ({
      atLeast: (end.of[at]?.[key] ?? 0) - (begin.of[at]?.[key] ?? 0),
      atMost: (late.of[at]?.[key] ?? 0) - (early.of[at]?.[key] ?? 0),
    });
    const switches = { atLeast: end.switches - begin.switches, atMost: late.switches - early.switches };
    return { reading, seconds: reading.windowMs / 1000, bounds, switches };
  } finally {
    await reader.close();
  }
}

function rowOf({ scheduler }: SchedulerReading, pid: number): ThreadRow {
  const row = scheduler.threads.find(({ tid }) => tid === pid);
  if (!row) throw new Error(`no thread ${pid}`);
  return row;
}

/** Between the bounds, and 10 % or `slack` beyond them. */
function expectWithin(
  value: number | undefined,
  { atLeast, atMost }: { atLeast: number; atMost: number },
  slack: number,
  what: string,
): void {
  expect(value, what).toBeDefined();
  expect(value, `${what}: at least`).toBeGreaterThanOrEqual(Math.min(atLeast * 0.9, atLeast - slack));
  expect(value, `${what}: at most`).toBeLessThanOrEqual(Math.max(atMost * 1.1, atMost + slack));
}

const exactly = (number: number) => ({ atLeast: number, atMost: number });

/** stress-ng's hogs and a server that computes for each message, all on one CPU with more weight than what else runs. */
async function crowded<T>(body: (server: number, hogs: number[]) => Promise<T>): Promise<T> {
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const server = await startProgram('pingpong.c', ['server', 0, 3000]);
    ends.push(server.stop);
    const client = await startProgram('pingpong.c', ['client', server.ready.port, 64, 10_000]);
    ends.push(client.stop);
    const stress = execa('stress-ng', ['--cpu', '4', '--taskset', String(CPU), '--timeout', '100s'], {
      reject: false,
      stdin: 'ignore',
    });
    ends.push(async () => {
      stress.kill('SIGTERM');
      await stress;
    });
    const hogs = await workers(stress.pid as number);
    await pin(server.pid, String(CPU));
    for (const pid of [server.pid, ...hogs]) await favoured(pid);
    return await body(server.pid, hogs);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function workers(parent: number): Promise<number[]> {
  const children = () =>
    readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  for (let tries = 0; tries < 200; ++tries) {
    if (children().length === 4 && children().every((pid) => timeslices(pid) > 2)) return children();
    await sleep(50);
  }
  throw new Error('stress-ng did not start four hogs');
}

async function checkCrowd(ctx: { skip(reason: string): unknown }, pids: readonly number[]): Promise<void> {
  const hogs = pids.slice(1);
  const { reading, seconds, bounds, switches } = await measure(pids, 3000);
  const { scheduler } = reading;
  if (scheduler.source !== 'bpf') ctx.skip(reading.gaps.map(({ reason }) => reason).join('; '));

  for (const [at, pid] of pids.entries()) {
    const row = rowOf(reading, pid);
    const of = (rate: number | undefined) => (rate === undefined ? undefined : rate * seconds);
    expectWithin(of((row.cpuShare ?? 0) * 1000), bounds(at, 'runMs'), 20, `run time of ${pid}`);
    expectWithin(of(row.runDelayMsPerS), bounds(at, 'delayMs'), 20, `delay of ${pid}`);
    expectWithin(of(row.voluntarySwitchesPerS), bounds(at, 'voluntary'), 3, `sleeps of ${pid}`);
    expectWithin(of(row.involuntarySwitchesPerS), bounds(at, 'involuntary'), 3, `pushes of ${pid}`);
    // What the programs counted is what the scheduler's own statistics say, in time and number.
    expectWithin((row.runDelay?.sumUs ?? 0) / 1000, bounds(at, 'delayMs'), 20, `histogram of ${pid}`);
    expectWithin(row.runDelay?.total, bounds(at, 'timeslices'), 4, `waits of ${pid}`);
    expect(row.runDelay?.counts.reduce((sum, n) => sum + n, 0)).toBe(row.runDelay?.total);
  }
  // A hog either runs or waits, and hogs of the same weight get the same.
  const shares = hogs.map((pid) => rowOf(reading, pid).cpuShare ?? 0);
  const mean = shares.reduce((sum, share) => sum + share, 0) / hogs.length;
  for (const [i, pid] of hogs.entries()) {
    expectWithin(shares[i], exactly(mean), 0.02, `an equal share for ${pid}`);
    expectWithin(
      (shares[i] ?? 0) + (rowOf(reading, pid).runDelayMsPerS ?? 0) / 1000,
      exactly(1),
      0.1,
      `all of ${pid}’s time`,
    );
  }
  const cpu = scheduler.cpus.find((row) => row.cpu === CPU);
  expect(cpu?.busyShare).toBeGreaterThan(0.9);
  expect(cpu?.runQueueLength).toBeGreaterThan(3.6);
  expect(cpu?.runDelay?.maxUs).toBeGreaterThanOrEqual(
    Math.max(...pids.map((pid) => rowOf(reading, pid).maxDelayUs ?? 0)),
  );
  // Two readings of /proc/stat lie within the window and two around it: so must what was counted, by either way.
  const byCpu = scheduler.cpus.reduce((sum, row) => sum + (row.switchesPerS ?? 0), 0);
  for (const rate of [scheduler.switchesPerS ?? 0, byCpu]) {
    const counted = Math.round(rate * seconds);
    expect(counted).toBeGreaterThanOrEqual(switches.atLeast);
    expect(counted).toBeLessThanOrEqual(switches.atMost);
  }
}

test('four hogs beside a server: shares, delays, switches and histograms are the kernel’s own', {
  timeout: 60_000,
}, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'stress-ng', 'taskset');
  await crowded(async (server, hogs) => {
    await checkCrowd(ctx, [server, ...hogs]);
  });
});

test('each sleep ends in one wake-up, and priority shortens what comes after it', { timeout: 60_000 }, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'taskset', 'chrt', 'renice');
  const hog = await startProgram('hog.py', [CPU]);
  const preferredOne = await startProgram('sleeper.py', [5]);
  const patient = await startProgram('sleeper.py', [5]);
  try {
    await pin(preferredOne.pid, String(CPU));
    await pin(patient.pid, String(CPU));
    await preferred(preferredOne.pid).catch(() => ctx.skip('needs CAP_SYS_NICE and real-time scheduling'));
    await execa('chrt', ['--idle', '--pid', '0', String(patient.pid)]);
    const { reading, bounds } = await measure([preferredOne.pid, patient.pid], 2000);
    if (reading.scheduler.source !== 'bpf') ctx.skip(reading.gaps.map(({ reason }) => reason).join('; '));
    const first = rowOf(reading, preferredOne.pid);
    // Nothing pushes it off, so that a wake-up is the only beginning of a wait.
    expectWithin(first.runDelay?.total, bounds(0, 'voluntary'), 2, 'wake-ups');
    const mean = (row: ThreadRow) => (row.runDelay?.sumUs ?? 0) / (row.runDelay?.total ?? 1);
    // The other runs when the hog leaves it something, milliseconds later.
    expect(mean(rowOf(reading, patient.pid))).toBeGreaterThan(mean(first) * 3);
    const { runDelay, wakeupLatency } = reading.scheduler;
    expect(wakeupLatency?.total).toBeGreaterThanOrEqual(first.runDelay?.total ?? 0);
    expect(wakeupLatency?.total).toBeLessThanOrEqual(runDelay?.total ?? 0);
    expect(wakeupLatency?.sumUs).toBeLessThanOrEqual(runDelay?.sumUs ?? 0);
  } finally {
    for (const { stop } of [hog, preferredOne, patient]) await stop();
  }
});
