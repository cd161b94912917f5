import type { BenchTransport } from '../../model/bench.js';
import { type Case, type PlanOptions, placements, type Suite } from './cases.js';
import { type Pair, pair, rate, roundTrips } from './pair.js';

const ALL: readonly BenchTransport[] = ['kernel', 'unix', 'shm'];
const KIB = 1024;
const MIB = KIB * KIB;

const RTT_BYTES = [1, 8, 16, 32, 64, 256, KIB, 4 * KIB, 8 * KIB, 16 * KIB, 64 * KIB, MIB];
const CONNECTION_BYTES = 64;
const TRIPS = [1, 4, 16, 64, 256, 1024];
const STREAM_BYTES = [8, 64, KIB, 8 * KIB, 64 * KIB, MIB];

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
