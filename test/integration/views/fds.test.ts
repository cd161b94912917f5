import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { DescriptorDetail, DescriptorsDocument } from '../../../src/model/views/descriptors.js';
import { BIN, sockdoc } from '../../support/cli.js';
import { poll, requireRoot, requireTool } from '../../support/live.js';
import { expectValid } from '../../support/schemas.js';
import { startProgram, type Victim } from '../../support/victim.js';

async function fds(...args: (string | number)[]): Promise<DescriptorsDocument> {
  const { code, stdout, stderr } = await sockdoc(['fds', '--json', ...args.map(String)]);
  expect(code, stderr).toBe(0);
  const document = JSON.parse(stdout);
  await expectValid('fds', document);
  return document;
}

async function withKinds(body: (victim: Victim) => Promise<void>): Promise<void> {
  const victim = await startProgram('descriptor_kinds.py');
  try {
    await body(victim);
  } finally {
    await victim.stop();
  }
}

const of = ({ descriptors = [] }: DescriptorsDocument, fd: number): DescriptorDetail => {
  const found = descriptors.find((row) => row.fd === fd);
  if (!found) throw new Error(`no descriptor ${fd}`);
  return found;
};

const flags = (pid: number, fd: number) =>
  Number.parseInt(/flags:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8);

test('every descriptor is as /proc/PID/fd and fdinfo show it', async () => {
  await withKinds(async ({ pid, ready }) => {
    const document = await fds(pid, '--window', 0);
    const shown = readdirSync(`/proc/${pid}/fd`).map(Number);
    expect(document.descriptors?.map(({ fd }) => fd)).toEqual(shown.sort((a, b) => a - b));
    for (const { fd, target, cloexec, nonblock } of document.descriptors ?? []) {
      expect(target).toBe(readlinkSync(`/proc/${pid}/fd/${fd}`));
      expect({ fd, cloexec, nonblock }).toEqual({
        fd,
        cloexec: (flags(pid, fd) & 0o2000000) !== 0,
        nonblock: (flags(pid, fd) & 0o4000) !== 0,
      });
    }
    const [row] = document.processes;
    const limit = /Max open files\s+(\d+)\s+(\d+)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'));
    expect(row).toMatchObject({
      pid,
      open: shown.length,
      softLimit: Number(limit?.[1]),
      hardLimit: Number(limit?.[2]),
      highest: Math.max(...shown),
      epollSets: 1,
    });
    expect(row).not.toHaveProperty('growthPerS');
    const kinds: Record<string, string> = {
      listener: 'tcp',
      unbound: 'tcp',
      inherited: 'udp',
      named: 'unix',
      netlink: 'netlink',
      reading: 'pipe',
      device: 'device',
      namespace: 'namespace',
    };
    for (const [name, fd] of Object.entries(ready.fds as Record<string, number>)) {
      const kind = name === 'client' || name === 'accepted' ? 'tcp' : name === 'here' ? 'unix' : (kinds[name] ?? name);
      expect([name, of(document, fd).kind]).toEqual([name, kind]);
    }
    expect(of(document, ready.fds.eventfd).info).toMatchObject({ 'eventfd-count': '7' });
    expect(of(document, ready.fds.inotify).info).toEqual({ watches: '1' });
    expect(of(document, ready.fds.unbound)).toMatchObject({ state: 'unconnected', protocol: 'TCP' });
  });
});

test('the other ends of a connection, a socket pair and a pipe are found', async (ctx) => {
  requireTool(ctx, 'ss');
  await withKinds(async ({ pid, ready }) => {
    const document = await fds(pid, '--window', 0);
    const { client, accepted, here, reading, listener } = ready.fds;
    const { stdout } = await execa('ss', ['-Htnp']);
    const line = stdout.split('\n').find((text) => text.includes(`pid=${pid},fd=${client}`)) ?? '';
    const [, , , local, remote] = line.split(/\s+/);
    expect(of(document, client)).toMatchObject({
      state: 'established',
      local,
      remote,
      peer: { pid, fd: accepted, comm: document.processes[0]?.comm },
    });
    expect(of(document, accepted)).toMatchObject({ local: remote, remote: local, peer: { pid, fd: client } });
    expect(of(document, listener).state).toBe('listen');
    expect(of(document, here).peer).toMatchObject({ pid: ready.child, fd: 901 });
    expect(of(document, reading)).toMatchObject({ access: 'read', peer: { pid: ready.child, fd: 900 } });
  });
});

test('epoll sets: what they watch, with which events, and what is stale', async () => {
  await withKinds(async ({ pid, ready }) => {
    const document = await fds(pid, '--window', 0);
    const { accepted, listener, reading, epoll, client } = ready.fds;
    const watches = of(document, epoll).watches ?? [];
    const byFd = Object.fromEntries(watches.map((watch) => [watch.fd, watch]));
    expect(Object.keys(byFd).map(Number).sort()).toEqual([accepted, listener, reading, ready.stale].sort());
    expect(byFd[accepted]?.events.sort()).toEqual(['EPOLLET', 'EPOLLIN', 'EPOLLRDHUP']);
    expect(byFd[listener]?.events.sort()).toEqual(['EPOLLEXCLUSIVE', 'EPOLLIN']);
    expect(byFd[reading]?.events.sort()).toEqual(['EPOLLIN', 'EPOLLONESHOT']);
    expect(byFd[ready.stale]).toMatchObject({ events: ['EPOLLOUT'], stale: true });
    expect(byFd[accepted]).not.toHaveProperty('stale');
    expect(of(document, accepted).watchedBy).toEqual([epoll]);
    expect(of(document, client)).not.toHaveProperty('watchedBy');
  });
});

test('what may leak: growth by kind, CLOSE_WAIT, sockets that are not connected, inherited ones', async () => {
  await withKinds(async (victim) => {
    const { pid, ready } = victim;
    await victim.ask('half-close', 'closed');
    const idle = await fds(pid, '--window', 0);
    expect(of(idle, ready.fds.accepted).state).toBe('close-wait');
    expect(idle.processes[0]).toMatchObject({ closeWait: 1, socketsInheritable: 1 });
    const running = fds(pid, '--window', 1000);
    let over = false;
    void running.finally(() => {
      over = true;
    });
    // Whenever the window begins and ends, it grows in between.
    for (let opened = 0; !over && opened < 400; opened += 4) {
      await victim.ask('grow 4', 'grown');
      await sleep(20);
    }
    const document = await running;
    const [row] = document.processes;
    expect(row?.growthByKind?.device).toBeGreaterThanOrEqual(4);
    expect(row?.growthPerS).toBeCloseTo(((row?.growthByKind?.device ?? 0) * 1000) / document.windowMs, -1);
    const found = Object.fromEntries((row?.suspicions ?? []).map(({ what, count }) => [what, count]));
    expect(found).toMatchObject({ growth: row?.growthByKind?.device, 'close-wait': 1, unconnected: 1, inheritable: 1 });
  });
});

test('without a pid: one row per process with the counts of ss, the fullest first', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ss');
  await withKinds(async ({ pid }) => {
    const document = await fds('--window', 0);
    const shares = document.processes.map(({ usedShare }) => usedShare ?? 0);
    expect(shares).toEqual(shares.toSorted((a, b) => b - a));
    const row = document.processes.find((process) => process.pid === pid);
    const owned = async (...args: string[]) =>
      (await execa('ss', ['-Hanp', ...args])).stdout.split('\n').filter((line) => line.includes(`pid=${pid},`)).length;
    // ss does not show the TCP socket that is not connected.
    expect(row).toMatchObject({
      tcp: (await owned('-t')) + 1,
      udp: await owned('-u'),
      unix: await owned('-x'),
      open: readdirSync(`/proc/${pid}/fd`).length,
    });
    expect(document.matching).toBe(document.processes.length);
    expect((await fds('--window', 0, '--limit', 1)).processes).toHaveLength(1);
    expect((await fds('--window', 0, '--pid', pid)).processes.map((process) => process.pid)).toEqual([pid]);
  });
});

test('wrong pids are errors that say what to do', async (ctx) => {
  const gone = await startProgram('descriptor_kinds.py');
  await gone.stop();
  const missing = await sockdoc(['fds', String(gone.pid)]);
  expect([missing.code, missing.stderr]).toEqual([4, expect.stringContaining('ps -e')]);
  const thread = readdirSync('/proc/self/task').find((tid) => tid !== String(process.pid)) ?? '';
  const ofThread = await sockdoc(['fds', thread]);
  expect([ofThread.code, ofThread.stderr]).toEqual([4, expect.stringContaining(`sockdoc fds ${process.pid}`)]);
  expect(await sockdoc(['fds', 'nginx'])).toMatchObject({ code: 2 });
  expect(await sockdoc(['fds', '1', '--pid', '2'])).toMatchObject({ code: 2 });
  requireRoot(ctx);
  requireTool(ctx, 'setpriv');
  await withKinds(async ({ pid }) => {
    const user = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
    const denied = await execa('setpriv', [...user, BIN, 'fds', String(pid)], { reject: false });
    expect([denied.exitCode, denied.stderr]).toEqual([3, expect.stringContaining('CAP_SYS_PTRACE')]);
    const some = await execa('setpriv', [...user, BIN, 'fds', '--json', '--window', '0'], { reject: false });
    const document = JSON.parse(some.stdout) as DescriptorsDocument;
    expect(document.processes.some((process) => process.pid === pid)).toBe(false);
    expect(document.gaps.find(({ what }) => what.includes('other users'))?.needs).toContain('CAP_SYS_PTRACE');
  });
});

test('--watch ends with exit 4 when the process does, and prints a document per reading', async () => {
  const victim = await startProgram('descriptor_kinds.py');
  const args = ['fds', '--json', '--watch', '--interval', '200', '--window', '0', String(victim.pid)];
  const running = execa(process.execPath, [BIN, ...args], { reject: false });
  let lines = 0;
  running.stdout.on('data', (chunk) => {
    lines += String(chunk).split('\n').length - 1;
  });
  await poll('three readings', () => lines >= 3);
  await victim.stop();
  const { exitCode: code, stdout } = await running;
  const documents = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(code).toBe(4);
  expect(documents.length).toBeGreaterThan(1);
  expect(documents[0]).toMatchObject({ command: 'fds', processes: [{ pid: victim.pid }] });
  expect(documents.at(-1)).toMatchObject({ error: { kind: 'not-possible' } });
});

test.each([60, 200])('fits %i columns', async (columns) => {
  await withKinds(async ({ pid }) => {
    for (const args of [
      ['fds', '--window', '0'],
      ['fds', '--window', '0', String(pid)],
    ]) {
      const { code, stdout } = await sockdoc(args, { env: { COLUMNS: String(columns) } });
      expect(code).toBe(0);
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns);
      expect(stdout).toContain(String(pid));
    }
  });
});
