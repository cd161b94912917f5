import { chmodSync, chownSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchTransport } from '../../../model/bench.js';
import { notPossible } from '../../../support/errors.js';
import { type Context, type PlanOptions, placements, type Sample } from '../cases.js';
import { programFile } from '../programs.js';
import { type App, type AppRig, openApp, output, rateOf, requestsCase } from './app.js';
import { freePort } from './ports.js';

const TRANSPORTS: readonly BenchTransport[] = ['kernel', 'shm'];
const CONNECTIONS = 8;
const ROW_BYTES = 4; // the balance that is selected
const NOBODY = 65534;
const READY_PATIENCE_MS = 10_000;
const SETTINGS = ['fsync=off', 'unix_socket_directories='];

/** A process for each connection; selects of one row by its key, all of it in memory. */
export const postgres: App = {
  name: 'PostgreSQL',
  programs: ['postgres', 'initdb', 'pgbench'].map((name) => ({ name, package: 'postgresql' })),
  cases: ({ cpus, quick }: PlanOptions) =>
    (quick ? placements(cpus).slice(0, 1) : placements(cpus)).map((place) =>
      requestsCase({
        name: `PostgreSQL, pgbench -S, ${CONNECTIONS} connections`,
        bytes: ROW_BYTES,
        cpus: place,
        transports: TRANSPORTS,
        rig: { key: `postgres ${place.join(',')}`, open: (context) => open(context, place) },
        measure,
      }),
    ),
};

/** PostgreSQL refuses to run as root; then nobody runs it, and its load: users share no memory. */
function asUser(command: readonly string[]): string[] {
  if (process.geteuid?.() !== 0) return [...command];
  return ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', ...command];
}

/** All of one version; in Debian's /usr/bin stand scripts that look for the version first. */
const program = (name: string) => join(dirname(realpathSync(programFile('postgres') ?? '')), name);

const pgbench = (port: AppRig['place'], ...more: string[]) =>
  asUser([program('pgbench'), '-h', '127.0.0.1', '-p', `${port}`, '-U', 'bench', ...more, 'postgres']);

async function open(context: Context, cpus: readonly number[]): Promise<AppRig> {
  const { workshop } = context;
  const data = workshop.path('postgres');
  mkdirSync(data, { mode: 0o700 });
  if (process.geteuid?.() === 0) {
    chownSync(data, NOBODY, NOBODY);
    chmodSync(workshop.folder, 0o711);
  }
  const run = async (command: readonly string[]) => output(await workshop.start(command), command[0] ?? '');
  await run(asUser([program('initdb'), '-D', data, '-A', 'trust', '-U', 'bench', '--locale=C', '--no-sync']));
  const port = await freePort();
  const settings = SETTINGS.flatMap((one) => ['-c', one]);
  const command = asUser([program('postgres'), '-D', data, '-h', '127.0.0.1', '-p', `${port}`, ...settings]);
  const rig = await openApp(context, cpus, port, command);
  await untilReady(context, port);
  await run(pgbench(port, '-i', '-q'));
  return rig;
}

/** It listens before it takes requests. */
async function untilReady({ workshop }: Context, port: number): Promise<void> {
  const ask = asUser([program('pg_isready'), '-q', '-h', '127.0.0.1', '-p', `${port}`]);
  for (const end = performance.now() + READY_PATIENCE_MS; performance.now() < end; await sleep(50)) {
    if ((await (await workshop.start(ask)).ended).code === 0) return;
  }
  throw notPossible(`PostgreSQL was not ready within ${READY_PATIENCE_MS / 1000} s`);
}

function measure(rig: AppRig, durationMs: number): Promise<Sample> {
  const seconds = Math.max(1, Math.round(durationMs / 1000)); // it counts in whole ones
  const load = rig.load(pgbench(rig.place, '-S', '-n', '-c', `${CONNECTIONS}`, '-T', `${seconds}`));
  return rateOf(rig, seconds * 1000, load.then(pgbenchRate));
}

/** The transactions per second that pgbench prints; a failed one makes it no measurement. */
export function pgbenchRate(text: string): number {
  const failed = /^number of failed transactions: [1-9].*$/m.exec(text)?.[0];
  const rate = Number(/^tps = ([\d.]+)/m.exec(text)?.[1]);
  if (failed === undefined && rate > 0) return rate;
  throw notPossible(`pgbench: ${failed ?? text.trim().slice(-300)}`);
}
