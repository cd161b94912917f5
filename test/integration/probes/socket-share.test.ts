import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { SocketShareProbe, type SocketShareSamples } from '../../../src/probes/native.js';
import { poll, requireRoot, requireTool } from '../../support/live.js';
import { startProgram, type Victim } from '../../support/victim.js';

/** Enough that a share is off by less than 0.08 in 19 of 20 cases. */
const ENOUGH = 150;

/** Share of the CPU time in the kernel since `before`, by /proc/PID/stat. */
function ticks(pid: number) {
  const words = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return { user: Number(words[11]), system: Number(words[12]) };
}

function openPerfDescriptors(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes('perf_event');
    } catch {
      return false;
    }
  }).length;
}

async function sampled(victims: readonly Victim[]) {
  const pids = victims.map(({ pid }) => pid);
  const probe = new SocketShareProbe();
  await probe.start();
  const before = pids.map(ticks);
  const sums = new Map<number, SocketShareSamples>(
    pids.map((pid) => [pid, { pid, samples: 0, kernel: 0, socket: 0, upkeep: 0, aside: 0 }]),
  );
  try {
    const { gaps } = await probe.read([]);
    if (gaps[0]) return { gap: `${gaps[0].what}: ${gaps[0].reason}` };
    expect(openPerfDescriptors()).toBeGreaterThan(0);
    await poll(
      'enough samples of each',
      async () => {
        for (const { pid, samples, kernel, socket, upkeep, aside } of (await probe.read(pids)).processes ?? []) {
          const sum = sums.get(pid) as SocketShareSamples;
          sum.samples += samples;
          sum.kernel += kernel;
          sum.socket += socket;
          sum.upkeep += upkeep;
          sum.aside += aside;
        }
        return [...sums.values()].every(({ samples }) => samples >= ENOUGH);
      },
      { everyMs: 200, deadlineMs: 60_000 },
    );
  } finally {
    await probe.stop();
  }
  expect(openPerfDescriptors()).toBe(0);
  const shares = [...sums.values()].map(({ pid, samples, kernel, socket, upkeep, aside }, at) => {
    const now = ticks(pid);
    const user = now.user - (before[at]?.user ?? 0);
    const system = now.system - (before[at]?.system ?? 0);
    return {
      kernel: kernel / samples,
      socket: socket / samples,
      upkeep: upkeep / samples,
      aside: aside / samples,
      kernelByTicks: system / (user + system),
    };
  });
  return { shares };
}

test('what computes, what reads /dev/zero and what talks over loopback are told apart', {
  timeout: 90_000,
}, async (ctx) => {
  requireRoot(ctx);
  const server = await startProgram('pingpong.c', ['server', 0, 0]);
  const client = await startProgram('pingpong.c', ['client', server.ready.port, 64, 0]);
  const option = await startProgram('keeping_up.py', ['option']);
  const registering = await startProgram('keeping_up.py', ['epoll']);
  const beside = await startProgram('beside.py');
  const victims = [
    await startProgram('hog.py', [0]),
    await startProgram('zeroes.py'),
    server,
    client,
    option,
    registering,
    beside,
  ];
  try {
    const { shares, gap } = await sampled(victims);
    if (!shares) return ctx.skip(gap as string);
    const [hog, zeroes, serving, asking, option, epoll, both] = shares;
    for (const one of [hog, zeroes]) expect(one?.aside).toBeGreaterThan(0.97);
    expect(hog?.socket).toBeLessThan(0.03);
    expect(hog?.kernel).toBeLessThan(0.1);
    expect(zeroes?.socket).toBeLessThan(0.03);
    expect(zeroes?.kernel).toBeGreaterThan(0.7);
    for (const end of [serving, asking]) {
      expect(end?.socket).toBeGreaterThan(0.6);
      expect(end?.kernel).toBeGreaterThan(0.75);
      // One connection that stays, and no epoll.
      expect(end?.upkeep).toBeLessThan(0.03);
      expect(end?.aside).toBeLessThan(0.03);
    }
    expect(option?.upkeep).toBeGreaterThan(0.15);
    expect(option?.upkeep).toBeLessThanOrEqual(option?.socket ?? 0);
    // What is waited for goes with the bytes.
    expect(epoll?.socket).toBeGreaterThan(0.15);
    expect(epoll?.upkeep).toBeLessThan(0.03);
    // Of its two threads one computes, and the other one is never only that.
    expect(both?.aside).toBeGreaterThan(0.1);
    expect(both?.socket).toBeGreaterThan(0.1);
    expect((both?.aside ?? 1) + (both?.socket ?? 1)).toBeLessThanOrEqual(1);
    // The kernel's own split of the same time, which owes nothing to samples.
    for (const { kernel, kernelByTicks } of shares) expect(Math.abs(kernel - kernelByTicks)).toBeLessThan(0.2);
  } finally {
    for (const { stop } of [client, ...victims]) await stop();
  }
});

test('without the privilege there is a gap that names it', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'setpriv');
  const script = `import { SocketShareProbe } from '${new URL('../../../dist/probes/native.js', import.meta.url)}';
    const probe = new SocketShareProbe();
    await probe.start();
    console.log(JSON.stringify(await probe.read([1])));`;
  const { stdout } = await execa('setpriv', [
    ...['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath],
    ...['--input-type=module', '-e', script],
  ]);
  expect(JSON.parse(stdout)).toEqual({
    gaps: [
      expect.objectContaining({
        probe: 'socket-share',
        needs: 'CAP_PERFMON and CAP_SYSLOG, or CAP_SYS_ADMIN',
      }),
    ],
  });
});
