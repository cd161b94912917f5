import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { Frame } from '../../src/model/views/frame.js';
import { BIN } from '../support/cli.js';
import { type Netns, requireRoot, requireTool, withNetns } from '../support/live.js';
import { expectValid } from '../support/schemas.js';

const FRAMES = 6; // the first, and five intervals

/** `sockdoc top --json` inside, until it has printed so many documents; SIGINT ends it. */
async function documents(ns: Netns, user: readonly string[] = []): Promise<Frame[]> {
  const command = [...user, process.execPath, BIN, 'top', '--json', '--interval', '400'];
  const top = execa('ip', ['netns', 'exec', ns.name, ...command], { reject: false, env: { HOME: '/nonexistent' } });
  const frames: Frame[] = [];
  for await (const line of top) {
    frames.push(JSON.parse(line) as Frame);
    if (frames.length === FRAMES) top.kill('SIGINT');
  }
  expect((await top).exitCode).toBe(130);
  return frames.slice(0, FRAMES);
}

/** A pair that never rests, connections that come and go, and a listener with its queue full. */
async function load(ns: Netns) {
  const server = await ns.start('pingpong.c', 'server', 0, 0);
  const client = await ns.start('pingpong.c', 'client', server.ready.port, 1024, 0);
  const churn = await ns.start('churn.c', 'serve', '127.0.0.1', 'server');
  const opener = await ns.start('churn.c', 'connect', '127.0.0.1', churn.ready.port, 'server');
  const more = setInterval(() => void opener.ask('go 50', 'done').catch(() => {}), 100);
  return { server, client, churn, end: () => clearInterval(more) };
}

test('five intervals under load: every document is valid, and its parts agree with each other', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const { server, client, churn, end } = await load(ns);
    try {
      const frames = await documents(ns);
      for (const frame of frames) await expectValid('top', frame);
      const moments = frames.map(({ takenAt }) => takenAt);
      expect(moments).toEqual([...new Set(moments)].toSorted());
      for (const { totals, connections, processes, shortLived } of frames.slice(1)) {
        if (totals === undefined) throw new Error('the sockets could not be read');
        const states = Object.values(totals.states).reduce((sum, count) => sum + count, 0);
        expect([totals.matching, states]).toEqual([totals.sockets, totals.sockets]);
        const of = (pid: number) => connections.find((row) => row.pid === pid && row.state === 'established');
        // Each is the other's peer, and what one sends the other receives, up to what is on its way.
        expect(of(client.pid)?.peer?.pid).toBe(server.pid);
        expect(of(server.pid)?.peer?.pid).toBe(client.pid);
        expect(of(client.pid)?.rates?.sendBps).toBeGreaterThan(0);
        const sums = processes.reduce((sum, row) => sum + (row.sendBps ?? 0), 0);
        expect(Math.abs(sums - (totals.sendBps ?? 0))).toBeLessThan(1 + 1e-6 * sums);
        expect(processes.find((row) => row.pid === client.pid)?.sendBps).toBe(of(client.pid)?.rates?.sendBps);
        expect(shortLived?.windowMs).toBeGreaterThan(0);
      }
      expect(
        frames.some(({ processes }) => processes.some((row) => row.pid === churn.pid && (row.endedPerS ?? 0) > 0)),
      ).toBe(true);
      expect(frames.flatMap(({ gaps }) => gaps).filter(({ needs }) => needs === 'CAP_NET_ADMIN')).toEqual([]);
    } finally {
      end();
    }
  });
});

test('without root the same documents have what is visible, and say what is not', async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'setpriv');
  await withNetns(async (ns) => {
    const { server, end } = await load(ns);
    try {
      const frames = await documents(ns, ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']);
      for (const frame of frames) await expectValid('top', frame);
      const last = frames.at(-1);
      expect(last?.totals?.states.listen).toBe(2);
      const row = last?.connections.find(({ local }) => local.endsWith(`:${server.ready.port}`));
      expect(row).toBeDefined();
      expect(row).not.toHaveProperty('pid');
      expect(last?.processes).toEqual([]);
      for (const probe of ['sockets', 'scheduler'])
        expect(last?.gaps.filter((gap) => gap.probe === probe).map(({ needs }) => needs)).toContainEqual(
          expect.any(String),
        );
    } finally {
      end();
    }
  });
});
