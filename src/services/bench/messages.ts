import { benchProgram } from '../../control/bench/places.js';
import { Worker } from '../../control/bench/worker.js';
import type { BenchTransport } from '../../model/bench.js';
import { type Case, type Context, type PlanOptions, placements, type Rig, type Sample, type Suite } from './cases.js';

const ALL: readonly BenchTransport[] = ['kernel', 'unix', 'shm'];
const KIB = 1024;
const MIB = KIB * KIB;

const RTT_BYTES = [1, 8, 16, 32, 64, 256, KIB, 4 * KIB, 8 * KIB, 16 * KIB, 64 * KIB, MIB];
const CONNECTION_BYTES = 64;
const TRIPS = [1, 4, 16, 64, 256, 1024];
const STREAM_BYTES = [8, 64, KIB, 8 * KIB, 64 * KIB, MIB];

interface Answer {
  p50?: number;
  p99?: number;
  mean?: number;
  perSecond?: number;
  upgraded?: boolean;
  ringShare?: number;
  reason?: string;
}

/** Messages there and back, one at a time. */
export const rtt: Suite = {
  id: 'rtt',
  title: 'Round trips',
  measures:
    'A message of so many bytes to the other process and back, one at a time: blocking send and receive on both sides.',
  transports: ALL,
  programs: [],
  plan: (options) => ({
    missing: [],
    cases: casesOf(options, options.quick ? [8, KIB, 64 * KIB] : RTT_BYTES, (bytes, cpus) => ({
      suite: 'rtt',
      name: sizeOf(bytes),
      bytes,
      cpus,
      metric: 'round trip',
      unit: 'us',
      better: 'lower',
      transports: ALL,
      rig: pair(cpus),
      measure: (rig, durationMs) => roundTrips(rig, bytes, durationMs),
    })),
  }),
};

/** Messages one way. */
export const throughput: Suite = {
  id: 'throughput',
  title: 'One-way messages',
  measures:
    'As many messages of so many bytes as go one way: one send for each, one receive or more, counted where they arrive.',
  transports: ALL,
  programs: [],
  plan: (options) => ({
    missing: [],
    cases: casesOf(options, options.quick ? [8, KIB, 64 * KIB] : STREAM_BYTES, (bytes, cpus) => ({
      suite: 'throughput',
      name: sizeOf(bytes),
      bytes,
      cpus,
      metric: 'messages',
      unit: '1/s',
      better: 'higher',
      transports: ALL,
      rig: pair(cpus),
      measure: (rig, durationMs) => rate(rig, `stream ${bytes} ${durationMs}`),
    })),
  }),
};

/** Connections of so many round trips: where shared memory begins to pay. */
export const connections: Suite = {
  id: 'connections',
  title: 'Connections',
  measures: 'Connections a second, one after the other, each with so many round trips of 64 B before it is closed.',
  transports: ALL,
  programs: [],
  plan: (options) => ({
    missing: [],
    cases: casesOf(options, options.quick ? [1, 64] : TRIPS, (trips, cpus) => ({
      suite: 'connections',
      name: trips === 1 ? '1 round trip' : `${trips} round trips`,
      bytes: CONNECTION_BYTES,
      cpus,
      metric: 'connections',
      unit: '1/s',
      better: 'higher',
      transports: ALL,
      rig: pair(cpus),
      measure: (rig, durationMs) => rate(rig, `connections ${CONNECTION_BYTES} ${durationMs} ${trips}`),
    })),
  }),
};

/** Every size on two CPUs, then on one; in a hurry only the smallest on one. */
function casesOf(
  { cpus, quick }: PlanOptions,
  sizes: readonly number[],
  make: (bytes: number, cpus: readonly number[]) => Case<Pair>,
): Case[] {
  return placements(cpus).flatMap((place, i) =>
    (quick && i > 0 ? sizes.slice(0, 1) : sizes).map((bytes) => make(bytes, place)),
  );
}

export function sizeOf(bytes: number): string {
  if (bytes >= MIB) return `${bytes / MIB} MiB`;
  return bytes >= KIB ? `${bytes / KIB} KiB` : `${bytes} B`;
}

const pair = (cpus: readonly number[]) => ({
  key: `pair ${cpus.join(',')}`,
  open: (context: Context) => openPair(cpus, context),
});

interface Pair extends Rig {
  ask(order: string): Promise<Answer>;
}

async function openPair([first = 0, second = 0]: readonly number[], { workshop, transport }: Context): Promise<Pair> {
  const shm = transport === 'shm';
  const address = transport === 'unix' ? `unix:${workshop.path('pair')}` : 'tcp:0';
  const server = new Worker(await workshop.start([benchProgram(), 'serve', address], { cpus: [first], shm }), 'server');
  const at = (await server.next<{ address: string }>()).address;
  const client = new Worker(await workshop.start([benchProgram(), 'ask', at], { cpus: [second], shm }), 'client');
  await client.next();
  const ask = (order: string) => client.ask<Answer>(order);
  return {
    pids: () => [server.pid, client.pid],
    ask,
    close: async () => {
      await Promise.all([workshop.end(client.started), workshop.end(server.started)]);
    },
  };
}

async function roundTrips(rig: Pair, bytes: number, durationMs: number): Promise<Sample> {
  const { p50 = 0, p99 = 0, mean = 0, ...carried } = await rig.ask(`rtt ${bytes} ${durationMs}`);
  return { value: p50 / 1000, p99: p99 / 1000, mean: mean / 1000, ...carriedBy(carried) };
}

async function rate(rig: Pair, order: string): Promise<Sample> {
  const { perSecond = 0, ...carried } = await rig.ask(order);
  return { value: perSecond, ...carriedBy(carried) };
}

/** Nothing for a process without libsd. */
const carriedBy = ({ upgraded, ringShare, reason }: Answer): Pick<Sample, 'carried'> =>
  upgraded === undefined
    ? {}
    : {
        carried: {
          upgraded,
          ...(ringShare === undefined ? {} : { ringShare }),
          ...(reason === undefined ? {} : { reason }),
        },
      };
