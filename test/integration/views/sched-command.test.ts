import { readdirSync, readFileSync } from 'node:fs';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { SchedulerDocument } from '../../../src/model/views/scheduler.js';
import { BIN, sockdoc } from '../../support/cli.js';
import { poll, requireRoot, requireTool } from '../../support/live.js';
import { expectValid } from '../../support/schemas.js';
import { startProgram } from '../../support/victim.js';

async function sched(...args: string[]): Promise<SchedulerDocument> {
  const { code, stdout, stderr } = await sockdoc(['sched', '--json', ...args]);
  expect(code, stderr).toBe(0);
  const document = JSON.parse(stdout);
  await expectValid('sched', document);
  return document;
}

test('threads that serve sockets come first, and a limit leaves the others out', async () => {
  const server = await startProgram('pingpong.c', ['server', 0, 0]);
  const hog = await startProgram('hog.py', [0]);
  try {
    const { scheduler, windowMs } = await sched('--window', '300');
    expect(windowMs).toBeGreaterThanOrEqual(300);
    expect(scheduler.threads.find(({ tid }) => tid === server.pid)).toMatchObject({ servesSockets: true });
    expect(scheduler.threads.find(({ tid }) => tid === hog.pid)).toMatchObject({
      servesSockets: false,
      process: 'python3',
    });
    const serving = scheduler.threads.map(({ servesSockets }) => servesSockets);
    expect(serving).toEqual(serving.toSorted((a, b) => Number(b) - Number(a)));
    const few = await sched('--window', '0', '--limit', '2');
    expect(few.windowMs).toBe(0);
    expect(few.scheduler.threads).toHaveLength(2);
    expect(few.scheduler.threadsLeftOut).toBeGreaterThan(0);
    for (const row of few.scheduler.threads) expect(row).not.toHaveProperty('cpuShare');
    expect(few.scheduler).not.toHaveProperty('runDelay');
  } finally {
    await hog.stop();
    await server.stop();
  }
});

test('without CAP_BPF it reads /proc, says so, and names what would help', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'setpriv');
  const hog = await startProgram('hog.py', [0]);
  try {
    const { stdout } = await execa('setpriv', [
      ...['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, BIN],
      ...['sched', '--json', '--window', '1000', '--pid', String(hog.pid)],
    ]);
    const document = JSON.parse(stdout) as SchedulerDocument;
    await expectValid('sched', document);
    const { scheduler, gaps } = document;
    expect(scheduler.source).toBe('procfs');
    expect(stdout).not.toContain('"counts"');
    expect(gaps.find(({ probe, what }) => probe === 'scheduler' && what.startsWith('histograms'))).toMatchObject({
      needs: 'CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN',
    });
    expect(scheduler.cpus[0]?.busyShare).toBeGreaterThan(0);
    const [row] = scheduler.threads;
    expect(row).toMatchObject({ tid: hog.pid, comm: 'python3' });
    // It runs or waits.
    expect((row?.cpuShare ?? 0) + (row?.runDelayMsPerS ?? 0) / 1000).toBeGreaterThan(0.8);
    expect(scheduler.switchesPerS).toBeGreaterThan(0);
  } finally {
    await hog.stop();
  }
});

/** Ids of the programs that a process holds, from /proc/PID/fdinfo. */
function programsOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
      return /^link_id/m.test(info) ? [] : [...info.matchAll(/^prog_id:\s+(\d+)/gm)].map(([, id]) => Number(id));
    } catch {
      return [];
    }
  });
}

const startWatch = () =>
  execa(process.execPath, [BIN, 'sched', '--watch', '--interval', '300', '--json'], {
    reject: false,
    stdin: 'ignore',
    buffer: false,
  });

async function withWatch(
  body: (command: ReturnType<typeof startWatch>, lines: SchedulerDocument[]) => Promise<void>,
): Promise<void> {
  const command = startWatch();
  const lines: SchedulerDocument[] = [];
  let rest = '';
  command.stdout?.on('data', (chunk) => {
    const parts = `${rest}${chunk}`.split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.map((line) => JSON.parse(line)));
  });
  try {
    await body(command, lines);
  } finally {
    command.kill('SIGKILL');
    await command;
  }
}

test('nothing is left in the kernel after kill −9', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'bpftool');
  await withWatch(async (command, lines) => {
    await poll('two readings', () => lines.length >= 2);
    if (lines[0]?.scheduler.source !== 'bpf') ctx.skip('no BPF here');
    const ids = programsOf(command.pid as number);
    expect(ids).toHaveLength(4);
    const alive = async () => {
      const { stdout } = await execa('bpftool', ['prog', 'list', '--json']);
      const running = new Set((JSON.parse(stdout) as { id: number }[]).map(({ id }) => id));
      return ids.filter((id) => running.has(id));
    };
    expect(await alive()).toEqual(ids);
    command.kill('SIGKILL');
    await command;
    await poll('the programs are gone', async () => (await alive()).length === 0);
  });
});

test('each line of --watch is about the time since the one before, until Ctrl-C', async () => {
  await withWatch(async (command, lines) => {
    await poll('three readings', () => lines.length >= 3);
    for (const line of lines) await expectValid('sched', line);
    const [first, second, third] = lines as [SchedulerDocument, SchedulerDocument, SchedulerDocument];
    // Each reading is late by what the machine does meanwhile; since the first they would be 900 ms together.
    const between = Date.parse(third.takenAt) - Date.parse(first.takenAt);
    expect(Math.abs(second.windowMs + third.windowMs - between)).toBeLessThan(250);
    command.kill('SIGINT');
    expect((await command).exitCode).toBe(130);
  });
});

test('wrong use is exit 2, a process that is not there exit 4', async () => {
  for (const args of [
    ['--limit', '0'],
    ['--window', 'soon'],
    ['--pid', 'one'],
    ['--interval', '1000'],
  ]) {
    expect((await sockdoc(['sched', ...args])).code, args.join(' ')).toBe(2);
  }
  const { code, stdout } = await sockdoc(['sched', '--json', '--pid', '4194304']);
  expect(code).toBe(4);
  await expectValid('error', JSON.parse(stdout));
});
