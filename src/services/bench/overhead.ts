import { benchProgram } from '../../control/bench/places.js';
import { Worker } from '../../control/bench/worker.js';
import type { BenchTransport } from '../../model/bench.js';
import { type Case, type Context, type PlanOptions, placements, type Rig, type Sample, type Suite } from './cases.js';
import { allowedCpus } from './host.js';
import { openPair, type Pair, rate, roundTrips } from './pair.js';

const TRANSPORTS: readonly BenchTransport[] = ['kernel', 'shm'];
const BYTES = 64;

/** A program that ends at once. */
const NOTHING = { name: 'true', package: 'coreutils' };

/** Pairs for each CPU: two busy processes each. */
const PAIRS_PER_CPU = 4;

/** Connected, and at it: all pairs count from then on. */
const TOGETHER_MS = 500;

type Under = Parameters<typeof openPair>[2];

const ONE_END: readonly { name: string; under: Under; reason: string }[] = [
  { name: 'only the server', under: { server: true, client: false }, reason: 'the client has no libsd' },
  { name: 'only the client', under: { server: false, client: true }, reason: 'the server has no libsd' },
];

/** Where there is little or nothing to gain: what libsd costs there. */
export const overhead: Suite = {
  id: 'overhead',
  title: 'Overhead',
  measures:
    'What libsd costs where it helps little or not: the start of a program, a peer that has no libsd, more busy processes than CPUs.',
  transports: TRANSPORTS,
  programs: [NOTHING],
  plan: ({ cpus, quick }: PlanOptions) => {
    const [two = []] = placements(cpus);
    const ends = quick ? ONE_END.slice(0, 1) : ONE_END;
    return { missing: [], cases: [starting(two), ...ends.flatMap((end) => withoutPeer(end, two)), crowd()] as Case[] };
  },
};

interface Starter extends Rig {
  ask(ms: number): Promise<Record<'p50' | 'p99' | 'mean', number>>;
}

const starting = ([cpu = 0]: readonly number[]): Case<Starter> => ({
  suite: 'overhead',
  name: 'start and end of a program',
  bytes: 0,
  cpus: [cpu, cpu],
  metric: 'start',
  unit: 'us',
  better: 'lower',
  transports: TRANSPORTS,
  rig: { key: `starting ${cpu}`, open: (context) => openStarter([cpu], context) },
  measure: async (rig, durationMs) => {
    const { p50, p99, mean } = await rig.ask(durationMs);
    return { value: p50 / 1000, p99: p99 / 1000, mean: mean / 1000, ...unhelped('it talks to nobody') };
  },
});

async function openStarter(cpus: readonly number[], { workshop, transport }: Context): Promise<Starter> {
  const command = [benchProgram(), 'start', NOTHING.name];
  const worker = new Worker(await workshop.start(command, { cpus, shm: transport === 'shm' }), 'sockdoc-bench start');
  await worker.next();
  return {
    pids: () => [worker.pid],
    ask: (ms) => worker.ask(`${Math.ceil(ms)}`),
    close: () => workshop.end(worker.started),
  };
}

/** Nothing is expected to be upgraded there. */
const unhelped = (reason: string): Pick<Sample, 'carried'> => ({ carried: { upgraded: false, reason } });

function withoutPeer({ name, under, reason }: (typeof ONE_END)[number], cpus: readonly number[]): Case<Pair>[] {
  const common = {
    suite: 'overhead',
    bytes: BYTES,
    cpus,
    transports: TRANSPORTS,
    rig: {
      key: `${name} ${cpus.join(',')}`,
      open: (context: Context) => openPair(cpus, context, under),
    },
  };
  return [
    {
      ...common,
      name: `${name} has libsd, round trip`,
      metric: 'round trip',
      unit: 'us',
      better: 'lower',
      measure: async (rig, durationMs) => ({ ...(await roundTrips(rig, BYTES, durationMs)), ...unhelped(reason) }),
    },
    {
      ...common,
      name: `${name} has libsd, one way`,
      metric: 'messages',
      unit: '1/s',
      better: 'higher',
      measure: async (rig, durationMs) => ({
        ...(await rate(rig, `stream ${BYTES} ${durationMs}`)),
        ...unhelped(reason),
      }),
    },
  ];
}

interface Crowd extends Rig {
  pairs: Pair[];
}

/** Eight processes for each CPU, none of which ever rests: round trips of all together. */
function crowd(): Case<Crowd> {
  const pairs = PAIRS_PER_CPU * allowedCpus().length;
  return {
    suite: 'overhead',
    name: `${2 * pairs} busy processes on ${allowedCpus().length} CPUs, round trips`,
    bytes: BYTES,
    cpus: [],
    metric: 'round trips',
    unit: '1/s',
    better: 'higher',
    transports: TRANSPORTS,
    rig: { key: `crowd ${pairs}`, open: (context) => openCrowd(pairs, context) },
    measure: measureCrowd,
  };
}

async function openCrowd(count: number, context: Context): Promise<Crowd> {
  const pairs = await Promise.all(Array.from({ length: count }, () => openPair([], context)));
  return {
    pairs,
    pids: () => pairs.flatMap((one) => one.pids()),
    close: async () => {
      await Promise.all(pairs.map((one) => one.close()));
    },
  };
}

async function measureCrowd({ pairs }: Crowd, durationMs: number): Promise<Sample> {
  const at = Number(process.hrtime.bigint()) / 1e6 + TOGETHER_MS; // CLOCK_MONOTONIC, as the programs have it
  const samples = await Promise.all(pairs.map((one) => rate(one, `between ${BYTES} ${durationMs} ${at}`)));
  const carried = samples.flatMap((sample) => sample.carried ?? []);
  const rings = carried.filter(({ upgraded }) => upgraded).length;
  const reason = carried.find(({ upgraded }) => !upgraded)?.reason;
  return {
    value: samples.reduce((sum, { value }) => sum + value, 0),
    ...(carried.length === 0
      ? {}
      : { carried: { upgraded: rings > carried.length / 2, ...(reason === undefined ? {} : { reason }) } }),
  };
}
