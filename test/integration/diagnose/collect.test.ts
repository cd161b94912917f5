import { execFileSync } from 'node:child_process';
import { cpus, hostname, release, totalmem } from 'node:os';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { expect, test } from 'vitest';
import { Snapshot } from '../../../src/model/snapshot/index.js';
import { collect } from '../../../src/services/diagnose/collect.js';
import { interrupted } from '../../../src/support/errors.js';
import { requireRoot, requireTool, withNetns } from '../../support/live.js';
import { snapshotIn } from '../../support/private.js';

const ajv = new Ajv({ strict: false, allErrors: true });
formats.default(ajv);
const validate = ajv.compile(Snapshot);

function expectValid(snapshot: Snapshot): void {
  validate(snapshot);
  expect(validate.errors ?? []).toEqual([]);
}

const everything = { target: { pids: [] }, windowMs: 0 };
const gapsOf = (snapshot: Snapshot, probe: string) => snapshot.gaps.filter((gap) => gap.probe === probe);

test('one reading and two follow the schema; the window is as long as asked for and the readings say how long it was', async () => {
  const [once, twice] = [await collect(everything), await collect({ ...everything, windowMs: 200 })];
  expectValid(once);
  expectValid(twice);
  expect(once.readings).toHaveLength(1);
  expect(once.observed.selects).toBeUndefined();
  const [first, last] = twice.readings;
  expect((last?.monotonicMs ?? 0) - (first?.monotonicMs ?? 0)).toBeGreaterThanOrEqual(200);
  expect(twice.windowMs).toBe(200);
  expect(last?.netns.map((net) => net.id)).toEqual(twice.netns.map((net) => net.id));
  expect(twice.self).toEqual([process.pid]);
});

test('facts agree with what the system says elsewhere', async (ctx) => {
  requireTool(ctx, 'getconf', 'nproc');
  const { host, readings } = await collect(everything);
  expect(host).toMatchObject({ hostname: hostname(), kernel: release(), arch: process.arch, memoryBytes: totalmem() });
  expect(host.cpus).toHaveLength(cpus().length);
  expect(host.pageBytes).toBe(Number(execFileSync('getconf', ['PAGESIZE'])));
  expect(host.effectiveUid).toBe(process.geteuid?.());
  expect(Date.parse(host.bootedAt ?? '')).toBeLessThan(Date.now());
  expect(host.sysctls['fs.nr_open']).toBe(execFileSync('cat', ['/proc/sys/fs/nr_open'], { encoding: 'utf8' }).trim());
  const [reading] = readings;
  expect(reading?.host.cpus.map((cpu) => cpu.cpu)).toEqual(host.cpus.map((cpu) => cpu.cpu));
  expect(reading?.host.softnet.map((line) => line.cpu)).toEqual(host.cpus.map((cpu) => cpu.cpu));
  expect(reading?.host.memory.MemTotal).toBe(totalmem());
  expect(reading?.host.softirqs.NET_RX).toHaveLength(reading?.host.softirqCpus.length as number);
  for (const name of [
    'bpf',
    'sockmap',
    'io_uring',
    'msg-zerocopy',
    'ktls',
    'smc',
    'mptcp',
    'btf',
    'psi',
    'schedstat',
  ]) {
    const asked = name in host.features || host.effectiveUid !== 0;
    expect([name, asked]).toEqual([name, true]);
  }
});

test('Ctrl-C during the window ends it at once with its reason', async () => {
  const controller = new AbortController();
  const reason = interrupted('SIGINT');
  const started = performance.now();
  const running = collect({ ...everything, windowMs: 600_000, signal: controller.signal });
  setTimeout(() => controller.abort(reason), 200);
  await expect(running).rejects.toBe(reason);
  expect(performance.now() - started).toBeLessThan(300_000);
});

test('without privileges it still reads the namespace, and names what would help', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'python3', 'setpriv');
  await withNetns(async (ns) => {
    const server = await ns.start('listener.py', '127.0.0.1', 0, 7);
    const { document, exitCode } = await ns.check(['--window', '100'], { as: 65534 });
    expect(exitCode).toBeLessThanOrEqual(1);
    expect(document.summary.complete).toBe(false);
    const snapshot = await snapshotAs(65534, ns.name);
    expectValid(snapshot);
    expect(snapshot.host).toMatchObject({ effectiveUid: 65534, capabilities: [] });
    expect(snapshot.netns[0]).toMatchObject({ id: ns.id, current: true, initial: false });
    expect(Object.keys(snapshot.netns[0]?.sysctls ?? {}).length).toBeGreaterThan(100);
    expect(Object.keys(snapshot.readings[0]?.netns[0]?.counters ?? {}).length).toBeGreaterThan(200);
    const ports = snapshot.readings[0]?.netns[0]?.sockets?.listeners.map((listener) => listener.port);
    expect(ports).toEqual([server.ready.port]);
    expect(snapshot.gaps.filter((gap) => gap.needs !== undefined)).not.toEqual([]);
    expect(snapshot.host.features.sockmap).toBeUndefined();
    expect(gapsOf(snapshot, 'features')).toMatchObject(
      snapshot.host.features.bpf ? [] : [{ needs: expect.stringContaining('CAP_BPF') }, {}],
    );
  });
});

test('without privileges what is asked for by name is refused, with the capability', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'python3', 'setpriv');
  await withNetns(async (ns) => {
    const other = await ns.peer();
    const server = await ns.start('listener.py', '127.0.0.1', 0, 7);
    for (const [target, needs] of [
      [['--netns', other.name], 'CAP_SYS_ADMIN'],
      [['--pid', String(server.pid)], 'CAP_SYS_PTRACE'],
    ] as const) {
      await expect(ns.check(['--window', '0', ...target], { as: 65534 })).rejects.toThrow(
        new RegExp(`exit 3\\n.*${needs}`, 's'),
      );
    }
  });
});

const CONTAINER = ['--fork', '--pid', '--net', '--mount', '--mount-proc', '--uts', '--ipc'];
const READ_ONLY = 'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys';

test('in namespaces like those of a container it reads what is inside', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'unshare', 'ip');
  const snapshot = await snapshotIn(CONTAINER, `${READ_ONLY}; ip link set lo up`);
  expectValid(snapshot);
  expect(snapshot.host.container).toEqual(expect.any(String));
  expect(snapshot.netns).toHaveLength(1);
  expect(snapshot.netns[0]).toMatchObject({ current: true, initial: false });
  expect(snapshot.netns[0]?.links.map((link) => link.name)).toContain('lo');
  expect(snapshot.readings[0]?.netns[0]?.counters.TcpRetransSegs).toBe(0);
  expect(snapshot.self[0]).toBeLessThan(100); // a pid of the inner namespace
});

test('a file that is hidden is a gap, and everything else is read', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'unshare');
  const hide = ['/proc/softirqs', '/proc/stat', '/proc/vmstat', '/proc/sys/net/core/somaxconn'];
  const script = `mkdir -p /run; mount -t tmpfs none /run; mkdir /run/empty; ${hide.map((path) => `: >/run/nothing; mount --bind /run/nothing ${path}`).join('; ')}`;
  const snapshot = await snapshotIn(['--mount', '--net'], script);
  expectValid(snapshot);
  const [reading] = snapshot.readings;
  expect(reading?.host.cpus).toEqual([]);
  expect(reading?.host.softirqs).toEqual({});
  expect(reading?.host.vmstat).toEqual({});
  const named = snapshot.gaps.filter((gap) => gap.reason.startsWith('empty')).map((gap) => gap.what);
  expect(named).toEqual(expect.arrayContaining(['/proc/stat', '/proc/softirqs', '/proc/vmstat']));
  expect(reading?.host.memory.MemTotal).toBe(totalmem());
  expect(snapshot.host.cpus).toHaveLength(cpus().length);
  expect(Object.keys(snapshot.netns[0]?.sysctls ?? {}).length).toBeGreaterThan(100);
});

test('a folder that is hidden is named as a gap, and everything else is read', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'unshare');
  const snapshot = await snapshotIn(['--mount', '--net'], 'mount -t tmpfs none /proc/sys; mount -t tmpfs none /sys');
  expectValid(snapshot);
  expect(snapshot.netns[0]?.sysctls).toEqual({});
  expect(snapshot.netns[0]?.initial).toBeUndefined();
  expect(gapsOf(snapshot, 'sysctls').map((gap) => gap.what)).toEqual(
    expect.arrayContaining(['/proc/sys/net', '/proc/sys']),
  );
  expect(snapshot.host.cpus.map((cpu) => cpu.cpu)).toEqual(cpus().map((_, at) => at));
  expect(Object.keys(snapshot.readings[0]?.netns[0]?.counters ?? {}).length).toBeGreaterThan(200);
});

/** The command as another user inside a namespace; the folder is that user's. */
async function snapshotAs(uid: number, netns: string): Promise<Snapshot> {
  const drop = `setpriv --reuid=${uid} --regid=${uid} --clear-groups`;
  return snapshotIn(['--mount'], `SOCKDOC_AS='ip netns exec ${netns} ${drop}'`);
}
