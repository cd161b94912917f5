import { benchProgram } from '../../control/bench/places.js';
import { Worker } from '../../control/bench/worker.js';
import type { Context, Rig, Sample } from './cases.js';

interface Answer {
  p50?: number;
  p99?: number;
  mean?: number;
  perSecond?: number;
  upgraded?: boolean;
  ringShare?: number;
  reason?: string;
}

/** The rig of cases with a pair on these CPUs. */
export const pair = (cpus: readonly number[]) => ({
  key: `pair ${cpus.join(',')}`,
  open: (context: Context) => openPair(cpus, context),
});

/** A server of messages, and a client that measures as it is told. */
export interface Pair extends Rig {
  ask(order: string): Promise<Answer>;
}

/** `under`: which of them has libsd, of transport shm. */
export async function openPair(
  cpus: readonly number[],
  { workshop, transport }: Context,
  under = { server: true, client: true },
): Promise<Pair> {
  const shm = transport === 'shm';
  const of = (end: 'server' | 'client') => ({
    cpus: end === 'server' ? cpus.slice(0, 1) : cpus.slice(1),
    shm: shm && under[end],
  });
  const address = transport === 'unix' ? `unix:${workshop.path('pair')}` : 'tcp:0';
  const server = new Worker(await workshop.start([benchProgram(), 'serve', address], of('server')), 'server');
  const at = (await server.next<{ address: string }>()).address;
  const client = new Worker(await workshop.start([benchProgram(), 'ask', at], of('client')), 'client');
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

export async function roundTrips(rig: Pair, bytes: number, durationMs: number): Promise<Sample> {
  const { p50 = 0, p99 = 0, mean = 0, ...carried } = await rig.ask(`rtt ${bytes} ${durationMs}`);
  return { value: p50 / 1000, p99: p99 / 1000, mean: mean / 1000, ...carriedBy(carried) };
}

export async function rate(rig: Pair, order: string): Promise<Sample> {
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
