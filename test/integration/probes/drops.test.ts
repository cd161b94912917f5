import { readdirSync, readlinkSync } from 'node:fs';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { DropCount } from '../../../src/model/snapshot/index.js';
import { DropProbe } from '../../../src/probes/native.js';
import { nstat } from '../../support/independent.js';
import { requireRoot, requireTool, withNetns } from '../../support/live.js';

/** Sends datagrams to a port where nobody listens, on the loopback of a namespace. */
const sender = (count: number) =>
  `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(${count}): s.sendto(b"x", ("127.0.0.1", 9))`;

const of = (drops: readonly DropCount[] | undefined, reason: string) =>
  (drops ?? []).filter((drop) => drop.reason === reason).reduce((sum, drop) => sum + drop.count, 0);

/** Descriptors of this process that hold something of BPF. */
function openBpfDescriptors(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes('bpf');
    } catch {
      return false;
    }
  }).length;
}

test('datagrams to a closed port are dropped for want of a socket, and nothing is left behind', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'python3', 'nstat');
  await withNetns(async (ns) => {
    const probe = new DropProbe();
    const { gaps } = await probe.start();
    if (gaps[0]) ctx.skip(`${gaps[0].what}: ${gaps[0].reason}`);
    expect(openBpfDescriptors()).toBe(3);
    await ns.run('python3', '-c', sender(300));
    const { drops, gaps: after } = await probe.stop();
    // The kernel's own count of the same datagrams, in a namespace where nobody else sends any.
    expect((await nstat(ns)).UdpNoPorts).toBe(300);
    expect(after).toEqual([]);
    // Host-wide: others may add to it.
    expect(of(drops, 'NO_SOCKET')).toBeGreaterThanOrEqual(300);
    expect(drops?.find((drop) => drop.reason === 'NO_SOCKET' && drop.count >= 300)?.place).toMatch(/udp/);
    expect(drops?.every((drop) => !drop.reason.startsWith('SKB_DROP_REASON_'))).toBe(true);
    expect(openBpfDescriptors()).toBe(0);
  });
});

test('a window begins at its start: what was dropped before is not in it', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'ip', 'python3');
  await withNetns(async (ns) => {
    const probe = new DropProbe();
    const { gaps } = await probe.start();
    if (gaps[0]) ctx.skip(`${gaps[0].what}: ${gaps[0].reason}`);
    await ns.run('python3', '-c', sender(3000));
    expect(of((await probe.stop()).drops, 'NO_SOCKET')).toBeGreaterThanOrEqual(3000);
    await probe.start();
    expect(of((await probe.stop()).drops, 'NO_SOCKET')).toBeLessThan(3000);
    // Without a start there is nothing to tell.
    expect(await probe.stop()).toEqual({ gaps: [] });
  });
});

test('without the privilege there is a gap that names it', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'setpriv');
  const script = `import { DropProbe } from '${new URL('../../../dist/probes/native.js', import.meta.url)}';
    const probe = new DropProbe();
    console.log(JSON.stringify([await probe.start(), await probe.stop()]));`;
  const { stdout } = await execa('setpriv', [
    ...['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath],
    ...['--input-type=module', '-e', script],
  ]);
  const [started, stopped] = JSON.parse(stdout);
  expect(started.gaps).toHaveLength(1);
  expect(started.gaps[0]).toMatchObject({ probe: 'drops', needs: 'CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN' });
  expect(stopped).toEqual({ gaps: [] });
});
