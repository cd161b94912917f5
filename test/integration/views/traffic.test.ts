import { expect, test } from 'vitest';
import type { ConnectionRow } from '../../../src/model/views/connections.js';
import type { Frame } from '../../../src/model/views/frame.js';
import { amount, framesUntil } from '../../support/frames.js';
import { nstat, ss, ssNumber } from '../../support/independent.js';
import { iperf } from '../../support/iperf.js';
import { type Netns, requireRoot, requireTool, withNetns } from '../../support/live.js';
import { nftRule } from '../checks/net/support.js';

const SPAN_MS = 5000;

const expectWithin = (value: number, expected: number, share = 0.1) => {
  expect(value).toBeGreaterThan(expected * (1 - share));
  expect(value).toBeLessThan(expected * (1 + share));
};

/** Frames of a few seconds, and what another tool said at both ends of them. */
async function between<T>(ns: Netns, reading: () => Promise<T>) {
  const readings: { atMs: number; value: T }[] = [];
  const all = await framesUntil({ netns: ns.name }, {}, async () => {
    readings.push({ atMs: performance.now(), value: await reading() });
    return (readings.at(-1)?.atMs ?? 0) - (readings[1]?.atMs ?? Number.NaN) > SPAN_MS;
  });
  const [begin, end] = [readings[1], readings.at(-1)] as [(typeof readings)[0], (typeof readings)[0]];
  const frames = all.slice(2);
  return {
    frames,
    seconds: frames.reduce((sum, frame) => sum + frame.intervalMs, 0) / 1000,
    begin: begin.value,
    end: end.value,
    otherSeconds: (end.atMs - begin.atMs) / 1000,
  };
}

const rowOf = (frame: Frame | undefined, local: string): ConnectionRow | undefined =>
  frame?.connections.find((row) => row.local === local);

/** ss of one connection. */
const ssOf = async (ns: Netns, local: string) => (await ss(ns, '-tinm', `src ${local}`))[0];

test('iperf3 through a queue of 20 Mbit/s shows what fits through it, limited by congestion', {
  timeout: 90_000,
}, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'iperf3', 'tc', 'ethtool');
  await withNetns(async (ns) => {
    const server = await ns.peer();
    await ns.run('ethtool', '-K', 'veth', 'tso', 'off', 'gso', 'off');
    await ns.run('tc', ...'qdisc add dev veth root tbf rate 20mbit burst 16kb latency 50ms'.split(' '));
    const run = await iperf(ns, server, 10);
    try {
      const { frames, seconds } = await between(ns, async () => undefined);
      const mean = (rate: (frame: Frame) => number | undefined) => amount(frames, rate) / seconds;
      const mss = rowOf(frames[0], run.data)?.mssBytes ?? 0;
      const payload = (20e6 * mss) / (mss + 66); // Ethernet, IP and TCP with timestamps around it
      expectWithin(
        mean((frame) => rowOf(frame, run.data)?.rates?.sendBps),
        payload,
      );
      expectWithin(
        mean((frame) => frame.totals?.sendBps),
        payload,
      );
      expectWithin(
        mean((frame) => frame.processes.find(({ pid }) => pid === rowOf(frame, run.data)?.pid)?.sendBps),
        payload,
      );
      expectWithin(
        mean((frame) => frame.nics.find(({ name }) => name === 'veth')?.txBps),
        20e6,
      );
      for (const frame of frames) {
        expect(rowOf(frame, run.data)).toMatchObject({ limitedBy: 'congestion', comm: 'iperf3', transport: 'kernel' });
      }
      const report = await run.report();
      const settled = report.intervals.slice(2).map(({ sum }) => sum.bits_per_second);
      expectWithin(
        mean((frame) => rowOf(frame, run.data)?.rates?.sendBps),
        settled.reduce((a, b) => a + b) / settled.length,
      );
    } finally {
      await run.stop();
    }
  });
});

test('one segment of a hundred lost between two namespaces: retransmits are those of ss, nstat and iperf3', {
  timeout: 90_000,
}, async (ctx) => {
  requireRoot(ctx);
  requireTool(ctx, 'iperf3', 'nft', 'nstat', 'ethtool');
  await withNetns(async (ns) => {
    const server = await ns.peer();
    await ns.run('ethtool', '-K', 'veth', 'tso', 'off', 'gso', 'off'); // so that what is dropped is one segment
    await nftRule(server, 'input', 'tcp dport 5201 numgen random mod 100 < 1 drop');
    const run = await iperf(ns, server, 10, '-b', '40M');
    try {
      const { frames, seconds, begin, end, otherSeconds } = await between(ns, async () => ({
        counters: await nstat(ns),
        socket: await ssOf(ns, run.data),
      }));
      const grown = (name: string) => (end.counters[name] ?? 0) - (begin.counters[name] ?? 0);
      const perS = amount(frames, (frame) => rowOf(frame, run.data)?.rates?.retransmitsPerS) / seconds;
      expectWithin(perS, grown('TcpRetransSegs') / otherSeconds);
      expectWithin(amount(frames, (frame) => frame.totals?.retransmitsPerS) / seconds, perS, 0.02);
      const segmentsPerS = amount(frames, (frame) => rowOf(frame, run.data)?.rates?.segmentsOutPerS) / seconds;
      expectWithin(perS / segmentsPerS, grown('TcpRetransSegs') / grown('TcpOutSegs'));
      expectWithin(rowOf(frames.at(-1), run.data)?.retransmits ?? 0, retransmitsOf(end.socket));
      const { intervals } = await run.report();
      const reported = intervals.map(({ sum }) => sum.retransmits / sum.seconds);
      // iperf3's own seconds are others than ours, and losses are random: the whole run has the same rate, more or less.
      expectWithin(perS, reported.reduce((a, b) => a + b) / reported.length, 0.3);
    } finally {
      await run.stop();
    }
  });
});

/** "retrans:0/220": now, and since the connection began. */
const retransmitsOf = (row: Awaited<ReturnType<typeof ssOf>>) =>
  Number(/\bretrans:\d+\/(\d+)/.exec(row?.rest ?? '')?.[1] ?? Number.NaN);

test('two hundred requests a second are two hundred segments each way', { timeout: 90_000 }, async (ctx) => {
  requireRoot(ctx);
  await withNetns(async (ns) => {
    const server = await ns.start('metronome.py', 'serve', '127.0.0.1', 0);
    const client = await ns.start('metronome.py', 'ask', '127.0.0.1', server.ready.port, 200);
    const local = `127.0.0.1:${client.ready.port}`;
    const { frames, seconds, begin, end, otherSeconds } = await between(ns, async () => ({
      asked: Number((await client.ask('how many', 'asked')).split(' ')[1]),
      segments: ssNumber(await ssRow(ns, local), 'data_segs_out') ?? Number.NaN,
    }));
    const row = (frame: Frame) => rowOf(frame, local);
    const mean = (rate: (frame: Frame) => number | undefined) => amount(frames, rate) / seconds;
    expectWithin((end.asked - begin.asked) / otherSeconds, 200);
    expectWithin(
      mean((frame) => row(frame)?.rates?.dataSegmentsOutPerS),
      200,
    );
    expectWithin(
      mean((frame) => row(frame)?.rates?.dataSegmentsInPerS),
      200,
    );
    expectWithin(
      mean((frame) => row(frame)?.rates?.dataSegmentsOutPerS),
      (end.segments - begin.segments) / otherSeconds,
    );
    expectWithin(
      mean((frame) => row(frame)?.rates?.sendBps),
      200 * 64 * 8,
    );
    expect(row(frames.at(-1) as Frame)).toMatchObject({
      isLocal: true,
      peer: { pid: server.pid },
      limitedBy: 'application',
    });
  });
});

async function ssRow(ns: Netns, local: string) {
  const row = await ssOf(ns, local);
  if (row === undefined) throw new Error(`ss shows no ${local}`);
  return row;
}
