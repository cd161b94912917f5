import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { expect, test } from 'vitest';
import { Frame } from '../../../src/model/views/frame.js';
import type { FrameRequest } from '../../../src/model/views/request.js';
import { currentNetns } from '../../../src/probes/namespaces.js';
import { GapList } from '../../../src/services/diagnose/collecting/gaps.js';
import { liveSource } from '../../../src/services/watch/live.js';
import { SocketPart } from '../../../src/services/watch/parts/sockets.js';
import { Sampler } from '../../../src/services/watch/sampler.js';
import { requireCgroup, withCgroup } from '../../support/cgroup.js';
import { frameRequest, framesOf, framesUntil } from '../../support/frames.js';
import { leftBehind } from '../../support/heap.js';
import { poll, requireRoot, withNetns } from '../../support/live.js';

const ajv = new Ajv({ strict: false, allErrors: true });
formats.default(ajv);
const validate = ajv.compile(Frame);

test('frames follow the schema, the first at once and the next soon; intervals are as they really were', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const server = await ns.start('pingpong.c', 'server', 0, 0);
    await ns.start('pingpong.c', 'client', server.ready.port, 64, 1000);
    const taken: number[] = [];
    const frames = await framesUntil({ netns: ns.name }, { intervalMs: 400 }, (all) => {
      taken.push(performance.now());
      return all.length === 4;
    });
    for (const frame of frames) {
      validate(frame);
      expect(validate.errors ?? []).toEqual([]);
    }
    const [first, second, ...later] = frames;
    expect(first?.intervalMs).toBe(0);
    expect(second?.intervalMs).toBeGreaterThanOrEqual(240);
    // Never much shorter than asked for, however busy this machine is.
    for (const frame of later) expect(frame.intervalMs).toBeGreaterThanOrEqual(200);
    const between = later.reduce((sum, frame) => sum + frame.intervalMs, second?.intervalMs ?? 0);
    expect(between).toBeLessThanOrEqual((taken.at(-1) ?? 0) - (taken[0] ?? 0) + (first?.self.readMs ?? 0) + 5);
    expect(frames.at(-1)?.processes.map((row) => row.pid)).toContain(server.pid);
    expect(frames.at(-1)?.totals?.states).toMatchObject({ listen: 1, established: 2 });
    const thread = frames.at(-1)?.scheduler?.threads.find((row) => row.tid === server.pid);
    expect(thread).toMatchObject({ pid: server.pid, comm: 'pingpong', servesSockets: true });
    expect(frames.at(-1)?.nics).toMatchObject([{ name: 'lo', netns: ns.name }]);
    expect(frames.at(-1)?.descriptors.find((row) => row.pid === server.pid)).toMatchObject({ tcp: 2, netns: ns.id });
  });
});

test('connections that no reading ever saw are counted, and their processes have the rate', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const server = await ns.start('churn.c', 'serve', '127.0.0.1', 'server');
    const client = await ns.start('churn.c', 'connect', '127.0.0.1', server.ready.port, 'server');
    const MANY = 2000;
    const frames = await framesUntil({ netns: ns.name }, { intervalMs: 300 }, async (all) => {
      if (all.length === 2) expect(await client.ask(`go ${MANY}`, 'done')).toBe('done 0');
      return all.reduce((sum, { shortLived }) => sum + (shortLived?.ended ?? 0), 0) >= 2 * MANY;
    });
    const ended = frames.flatMap(({ shortLived }) => shortLived?.by ?? []);
    const count = (pid: number) => ended.filter((row) => row.pid === pid).reduce((sum, row) => sum + row.count, 0);
    expect(count(server.pid)).toBe(MANY);
    const rows = frames.flatMap(({ processes }) => processes.filter(({ pid }) => pid === server.pid));
    expect(rows.some(({ endedPerS = 0 }) => endedPerS > 0)).toBe(true);
  });
});

test('a process that was asked for and ends is a gap, and the frames go on', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const server = await ns.start('pingpong.c', 'server', 0, 0);
    const frames = await framesUntil({ pids: [server.pid] }, { intervalMs: 100 }, async ({ length }) => {
      if (length === 2) await server.stop();
      return length === 4;
    });
    expect(frames[1]?.processes.map((row) => row.pid)).toEqual([server.pid]);
    expect(frames[1]?.gaps.filter((gap) => gap.probe === 'processes')).toEqual([]);
    expect(frames[3]?.processes).toEqual([]);
    expect(frames[3]?.gaps).toContainEqual({
      probe: 'processes',
      what: `process ${server.pid}`,
      reason: 'it has ended',
    });
  });
});

test('a cgroup: its processes and their connections alone, with those that join it later', {
  timeout: 90_000,
}, async (ctx) => {
  requireRoot(ctx);
  requireCgroup(ctx, 'cpu', 'cgroup.procs');
  await withCgroup('cpu', (group) =>
    withNetns(async (ns) => {
      const [first, second, other] = [
        await ns.start('pingpong.c', 'server', 0, 0),
        await ns.start('pingpong.c', 'server', 0, 0),
        await ns.start('pingpong.c', 'server', 0, 0),
      ];
      await group.write('cgroup.procs', first.pid);
      const pidsOf = (frame: Frame | undefined) => frame?.processes.map((row) => row.pid).toSorted() ?? [];
      const frames = await framesUntil({ cgroup: group.path }, { intervalMs: 200 }, async (all) => {
        if (all.length === 1) await group.write('cgroup.procs', second.pid);
        return pidsOf(all.at(-1)).includes(second.pid);
      });
      expect(pidsOf(frames[0])).toEqual([first.pid]);
      expect(frames[0]?.connections.map((row) => row.pid)).toEqual([first.pid]);
      const last = frames.at(-1);
      expect(pidsOf(last)).toEqual([first.pid, second.pid].toSorted());
      expect(last?.connections.map((row) => row.pid)).not.toContain(other.pid);
      expect(last?.descriptors.map((row) => row.pid).toSorted()).toEqual(pidsOf(last));
    }),
  );
});

test('a process asked for that is not there is an error before the first frame', async () => {
  await expect(framesOf({ pids: [999_999_999] }, 1)).rejects.toMatchObject({ kind: 'not-possible' });
});

test('a changed request is answered at once, from the reading that is there', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const server = await ns.start('pingpong.c', 'server', 0, 0);
    const client = await ns.start('pingpong.c', 'client', server.ready.port, 64, 1000);
    const request = frameRequest({ intervalMs: 3_600_000 });
    const source = liveSource({ pids: [], netns: ns.name });
    const frames: Frame[] = [];
    for await (const frame of source.start(request, new AbortController().signal)) {
      frames.push(frame);
      if (frames.length === 2) {
        request.filter = [{ field: 'pid', operator: '=', values: [client.pid] }];
        source.refresh();
      }
      if (frames.length === 3) {
        request.filter = [];
        request.limit = 0;
        request.keep = frame.connections.map(({ cookie }) => cookie);
        source.refresh();
      }
      if (frames.length === 4) break;
    }
    const [, all, filtered, kept] = frames;
    expect(all?.connections).toHaveLength(3); // the listener, and both ends
    expect(filtered?.connections.map(({ pid }) => pid)).toEqual([client.pid]);
    expect(kept?.connections).toEqual(filtered?.connections);
    expect([filtered?.takenAt, kept?.takenAt]).toEqual([all?.takenAt, all?.takenAt]);
    expect([all, filtered, kept].map((frame) => frame?.totals?.matching)).toEqual([3, 1, 3]);
  });
});

test('a reading that fails has no totals and no rows of the one before', async () => {
  const part = new SocketPart();
  const scope = { namespaces: [currentNetns()], pids: undefined };
  const gaps = new GapList();
  const { rows } = await part.read(scope, frameRequest(), gaps);
  expect(rows.totals?.sockets).toBeGreaterThanOrEqual(0);
  expect(await part.select(frameRequest())).toMatchObject({ totals: rows.totals });
  const refused = frameRequest({ sort: 'no such order' as FrameRequest['sort'] });
  expect((await part.read(scope, refused, gaps)).rows).toEqual({ connections: [], processes: [], descriptors: [] });
  expect(gaps.all().map(({ probe }) => probe)).toContain('sockets');
  expect(await part.select(frameRequest())).toBeUndefined();
  expect((await part.read(scope, frameRequest(), gaps)).rows).toHaveProperty('totals');
});

test('an aborted source ends at once, in the pause and in the middle of a reading', async () => {
  for (const abortAfter of [0, 1]) {
    const controller = new AbortController();
    const frames = liveSource({ pids: [] }).start(frameRequest({ intervalMs: 3_600_000 }), controller.signal);
    const seen: Frame[] = [];
    const ended = (async () => {
      for await (const frame of frames) seen.push(frame);
    })();
    if (abortAfter > 0) await poll('a first and a second frame', () => seen.length > abortAfter);
    controller.abort();
    await ended;
    expect(seen.length).toBe(abortAfter * 2);
  }
});

test('a slow consumer makes the source wait: frames are neither queued nor read in vain', async () => {
  const taken: string[] = [];
  const began = performance.now();
  await framesUntil({}, { intervalMs: 100 }, async (frames) => {
    taken.push(frames.at(-1)?.takenAt ?? '');
    await new Promise((resolve) => setTimeout(resolve, 300));
    return frames.length === 3;
  });
  // Each was read after the consumer had come back for it.
  expect(performance.now() - began).toBeGreaterThanOrEqual(900);
  const [a = 0, b = 0, c = 0] = taken.map((text) => Date.parse(text));
  expect(Math.min(b - a, c - b)).toBeGreaterThanOrEqual(290);
});

test('readings leave nothing behind', async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const server = await ns.start('pingpong.c', 'server', 0, 0);
    await ns.start('pingpong.c', 'client', server.ready.port, 64, 1000);
    const sampler = await Sampler.open({ pids: [], netns: ns.name });
    try {
      const read = async () => void (await sampler.read(frameRequest()));
      // A frame of this namespace is some kilobytes.
      expect(await leftBehind(25, read)).toBeLessThan(1000);
    } finally {
      sampler.close();
    }
  });
});
