import { existsSync } from 'node:fs';
import type { Calibration, TransportCosts } from '../../model/advise.js';
import { notPossible } from '../../support/errors.js';
import { preloadable } from '../launch/preload.js';
import { libsd } from '../monitor/places.js';
import { benchProgram } from './places.js';
import { Worker } from './worker.js';
import { Workshop } from './workshop.js';

const SMALL_BYTES = 64;
const LARGE_BYTES = 16_384;
const TURNS = 2;
const TURN_MS = 25;

/** On a busy machine a connection may be over before it has moved. */
const MOST_TRIES = 5;

type Costs = Pick<Calibration, 'smallBytes' | 'largeBytes' | 'byKernel' | 'byMemory'>;

interface Answer {
  count: number;
  cpuNs: number;
  p50?: number;
  receiverCpuNs?: number;
  upgraded?: boolean;
  reason?: string;
}

/**
 * Measures what messages between two CPUs cost by kernel TCP and by shared memory, in turns; of all turns the cheapest
 * counts, since whatever disturbs one makes it dearer. Takes about half a second; nothing is left behind.
 */
export async function measureCosts(cpus: readonly [number, number]): Promise<Costs> {
  if (!existsSync(libsd())) throw notPossible(`there is no libsd here (${libsd()}): it is built for x86-64 alone`);
  const workshop = new Workshop();
  try {
    const memory = {
      LD_PRELOAD: preloadable(libsd()),
      SOCKDOC_MONITOR: await workshop.monitor(),
      SOCKDOC_AFTER_CALLS: '1',
    };
    const pairs = await Promise.all([open(workshop, cpus, {}), open(workshop, cpus, memory)]);
    const measured: [Turn[], Turn[]] = [[], []];
    for (let turn = 0; turn < TURNS; turn++)
      for (const [at, client] of pairs.entries()) measured[at]?.push(await takeTurn(client, at === 1));
    const [byKernel, byMemory] = measured.map(costsOf);
    return { smallBytes: SMALL_BYTES, largeBytes: LARGE_BYTES, byKernel, byMemory } as Costs;
  } finally {
    await workshop.close();
  }
}

/** A server, and the client of it that is to be asked. */
async function open(workshop: Workshop, [first, second]: readonly [number, number], env: Record<string, string>) {
  const serving = await workshop.start([benchProgram(), 'serve', 'tcp:0'], { cpus: [first], env });
  const { address } = await new Worker(serving, 'server').next<{ address: string }>();
  const client = new Worker(await workshop.start([benchProgram(), 'ask', address], { cpus: [second], env }), 'client');
  await client.next();
  return client;
}

type Turn = Record<'small' | 'large' | 'waiting' | 'smallTrip' | 'largeTrip', number>;

/** In microseconds: CPU time of a message that nobody waits for, and of one that is waited for; round trips. */
async function takeTurn(client: Worker, byMemory: boolean): Promise<Turn> {
  const ask = async (what: 'rtt' | 'stream' | 'alone', bytes: number) => {
    let answer = await client.ask<Answer>(`${what} ${bytes} ${TURN_MS}`);
    for (let again = 0; byMemory && !answer.upgraded && again < MOST_TRIES; again++)
      answer = await client.ask<Answer>(`${what} ${bytes} ${TURN_MS}`);
    if (byMemory && !answer.upgraded)
      throw notPossible(`shared memory could not be measured: ${answer.reason ?? 'the connection was not moved'}`);
    return answer;
  };
  // By the kernel in one process: how often a stream's receiver sleeps, and is woken, changes from one moment to the next.
  const moved = async (bytes: number) => {
    const { cpuNs, receiverCpuNs = 0, count } = await ask(byMemory ? 'stream' : 'alone', bytes);
    return (cpuNs + receiverCpuNs) / count / 1000;
  };
  const small = await ask('rtt', SMALL_BYTES);
  const large = await ask('rtt', LARGE_BYTES);
  return {
    small: await moved(SMALL_BYTES),
    large: await moved(LARGE_BYTES),
    // Two messages, and as much CPU time at the other end as here.
    waiting: small.cpuNs / small.count / 1000,
    smallTrip: (small.p50 ?? 0) / 1000,
    largeTrip: (large.p50 ?? 0) / 1000,
  };
}

function costsOf(turns: readonly Turn[]): TransportCosts {
  const least = (of: keyof Turn) => Number(Math.min(...turns.map((turn) => turn[of])).toPrecision(4));
  return {
    smallUs: least('small'),
    largeUs: least('large'),
    wakeUpUs: Math.max(0, Number((least('waiting') - least('small')).toPrecision(4))),
    smallRoundTripUs: least('smallTrip'),
    largeRoundTripUs: least('largeTrip'),
  };
}
