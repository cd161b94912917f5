import type { BenchTransport } from '../../../model/bench.js';
import { notPossible } from '../../../support/errors.js';
import { type Case, type Context, type PlanOptions, placements, type Sample } from '../cases.js';
import { programFile } from '../programs.js';
import { type App, type AppRig, openApp, rateOf, requestsCase } from './app.js';
import { freePort } from './ports.js';

const TRANSPORTS: readonly BenchTransport[] = ['kernel', 'unix', 'shm'];

/** redis-benchmark's own. */
const PAYLOAD = 3;

interface Load {
  name: string;
  test: 'SET' | 'GET';
  clients: number;
  pipeline: number;
}

const LOADS: readonly Load[] = [
  { name: 'redis GET, 1 client', test: 'GET', clients: 1, pipeline: 1 },
  { name: 'redis SET, 50 clients', test: 'SET', clients: 50, pipeline: 1 },
  { name: 'redis GET, 50 clients', test: 'GET', clients: 50, pipeline: 1 },
  { name: 'redis GET, 50 clients, pipelines of 16', test: 'GET', clients: 50, pipeline: 16 },
];

export const redis: App = {
  name: 'redis',
  programs: [
    { name: 'redis-server', package: 'redis-server' },
    { name: 'redis-benchmark', package: 'redis-tools' },
  ],
  cases: ({ cpus, quick }: PlanOptions) => {
    // Without pinning the scheduler may put both on one CPU, as it does for most people.
    const places = quick ? placements(cpus).slice(0, 1) : [...placements(cpus), []];
    const loads = quick ? LOADS.filter(({ test }) => test === 'GET') : LOADS;
    return places.flatMap((place) => loads.map((load) => caseOf(load, place)));
  },
};

interface RedisRig extends AppRig {
  /** Requests per second that a load had last, so that the next takes as long as it should. */
  rates: Map<string, number>;
}

const caseOf = (load: Load, cpus: readonly number[]): Case<RedisRig> =>
  requestsCase({
    name: load.name,
    bytes: PAYLOAD,
    cpus,
    transports: TRANSPORTS,
    rig: { key: `redis ${cpus.join(',')}`, open: (context) => open(context, cpus) },
    measure: (rig, durationMs) => measure(rig, load, durationMs),
  });

async function open(context: Context, cpus: readonly number[]): Promise<RedisRig> {
  const unix = context.transport === 'unix';
  const place = unix ? context.workshop.path('redis') : await freePort();
  const listen = unix ? ['--port', '0', '--unixsocket', `${place}`] : ['--port', `${place}`, '--bind', '127.0.0.1'];
  const command = [
    programFile('redis-server') ?? '',
    ...listen,
    '--save',
    '',
    '--appendonly',
    'no',
    '--daemonize',
    'no',
  ];
  return { ...(await openApp(context, cpus, place, command)), rates: new Map() };
}

async function measure(rig: RedisRig, load: Load, durationMs: number): Promise<Sample> {
  if (!rig.rates.has(load.name)) await once(rig, load, 2000 * load.pipeline);
  const requests = Math.ceil(((rig.rates.get(load.name) ?? 0) * durationMs) / 1000);
  return rateOf(rig, durationMs, once(rig, load, Math.max(1000, requests)));
}

async function once(rig: RedisRig, { name, test, clients, pipeline }: Load, requests: number): Promise<number> {
  const at = typeof rig.place === 'number' ? ['-p', `${rig.place}`] : ['-s', rig.place];
  const text = await rig.load([
    programFile('redis-benchmark') ?? '',
    ...at,
    ...['-n', `${requests}`, '-c', `${clients}`, '-P', `${pipeline}`, '-t', test.toLowerCase(), '--csv'],
  ]);
  const rate = redisRate(text, test);
  rig.rates.set(name, rate);
  return rate;
}

/** The requests per second of a test in what redis-benchmark --csv prints. */
export function redisRate(csv: string, test: string): number {
  const rate = Number(new RegExp(`^"${test}[^"]*","([\\d.]+)"`, 'm').exec(csv)?.[1]);
  if (rate > 0) return rate;
  throw notPossible(`redis-benchmark gave no rate: ${csv.trim().slice(-300)}`);
}
