import type { BenchTransport } from '../../../model/bench.js';
import { notPossible } from '../../../support/errors.js';
import { type PlanOptions, placements, type Sample } from '../cases.js';
import { programFile } from '../programs.js';
import { type App, type AppRig, openApp, rateOf, requestsCase } from './app.js';
import { freePort } from './ports.js';

/** The load generator speaks TCP alone. */
const TRANSPORTS: readonly BenchTransport[] = ['kernel', 'shm'];
const CONNECTIONS = 16;
const VALUE_BYTES = 64;

/** As Debian has renamed memaslap. */
const LOAD = 'memcaslap';

/** One thread on each side: nine gets for a set. */
export const memcached: App = {
  name: 'memcached',
  programs: [
    { name: 'memcached', package: 'memcached' },
    { name: LOAD, package: 'libmemcached-tools' },
  ],
  cases: ({ cpus, quick }: PlanOptions) =>
    (quick ? placements(cpus).slice(0, 1) : placements(cpus)).map((place) =>
      requestsCase({
        name: `memcached, ${CONNECTIONS} connections`,
        bytes: VALUE_BYTES,
        cpus: place,
        transports: TRANSPORTS,
        rig: {
          key: `memcached ${place.join(',')}`,
          open: async (context) => openApp(context, place, ...server(await freePort())),
        },
        measure,
      }),
    ),
};

function server(port: number): [number, string[]] {
  // As root it wants to be told to stay so; nobody else may say it.
  const user = process.geteuid?.() === 0 ? ['-u', 'root'] : [];
  return [port, [programFile('memcached') ?? '', '-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-t', '1', ...user]];
}

function measure(rig: AppRig, durationMs: number): Promise<Sample> {
  const seconds = Math.max(1, Math.round(durationMs / 1000)); // it counts in whole ones
  const command = [programFile(LOAD) ?? '', '-s', `127.0.0.1:${rig.place}`, '-T', '1', '-c', `${CONNECTIONS}`];
  const load = rig.load([...command, '-X', `${VALUE_BYTES}`, '-w', '1k', '-t', `${seconds}s`]);
  return rateOf(rig, seconds * 1000, load.then(memaslapRate));
}

/** The operations per second that memaslap prints. */
export function memaslapRate(text: string): number {
  const rate = Number(/^Run time: .* TPS: (\d+)/m.exec(text)?.[1]);
  if (rate > 0) return rate;
  throw notPossible(`${LOAD} gave no rate: ${text.trim().slice(-300)}`);
}
