import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Started } from '../../../control/bench/workshop.js';
import type { BenchTransport } from '../../../model/bench.js';
import { notPossible } from '../../../support/errors.js';
import type { Case, Context, PlanOptions, Program, Rig, Sample } from '../cases.js';
import { watchUpgrades } from './upgrades.js';

/** A server and its own load generator. */
export interface App {
  name: string;
  programs: readonly Program[];
  cases(options: PlanOptions): Case[];
}

/** Where a server listens: a port of 127.0.0.1, or the path of a UNIX socket. */
export type Place = number | string;

/** A server that runs, and the load that is put on it. */
export interface AppRig extends Rig {
  place: Place;
  /** That of shared memory: its socket. */
  monitor?: string;
  /** Runs a load generator on the client's CPU; what it wrote to stdout. */
  load(command: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
}

const START_PATIENCE_MS = 10_000;

/** How many requests a second a load gets answered. */
export const requestsCase = <Of extends AppRig>(
  parts: Pick<Case<Of>, 'name' | 'bytes' | 'cpus' | 'rig' | 'measure'> & { transports: readonly BenchTransport[] },
): Case<Of> => ({ suite: 'apps', metric: 'requests', unit: '1/s', better: 'higher', ...parts });

/** Starts the server on the first CPU and waits until it takes connections. */
export async function openApp(
  { workshop, transport }: Context,
  cpus: readonly number[],
  place: Place,
  command: readonly string[],
): Promise<AppRig> {
  const shm = transport === 'shm';
  const monitor = shm ? { monitor: await workshop.monitor() } : {};
  const server = await workshop.start(command, { cpus: cpus.slice(0, 1), shm });
  server.child.stdout?.resume();
  await listening(place, server, command[0] ?? '');
  const loads = new Set<number>();
  return {
    place,
    ...monitor,
    pids: () => [server.child.pid as number, ...loads],
    load: async (words, env = {}) => {
      const started = await workshop.start(words, { cpus: cpus.slice(1), shm, env });
      const pid = started.child.pid as number;
      loads.add(pid);
      try {
        return await output(started, words[0] ?? '');
      } finally {
        loads.delete(pid);
      }
    },
    close: () => workshop.end(server),
  };
}

/** The rate that a load comes to, with what carried its connections where the monitor knows. */
export async function rateOf({ monitor }: AppRig, durationMs: number, load: Promise<number>): Promise<Sample> {
  const watched = monitor === undefined ? undefined : watchUpgrades(monitor, durationMs, load);
  const [carried, value] = await Promise.all([watched, load]);
  return { value, ...(carried ? { carried } : {}) };
}

/** Everything that it says until it ends well. */
export async function output(started: Started, name: string): Promise<string> {
  let text = '';
  started.child.stdin?.end();
  started.child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const { code, signal, stderr } = await started.ended;
  if (code === 0) return text;
  throw notPossible(`${name} ended with ${signal ?? `status ${code}`}: ${stderr || text.trim().slice(-500)}`);
}

async function listening(place: Place, server: Started, name: string): Promise<void> {
  let failure: string | undefined;
  void server.ended.then(({ stderr, code, signal }) => {
    failure = `${name} ended with ${signal ?? `status ${code}`}: ${stderr}`;
  });
  for (const end = performance.now() + START_PATIENCE_MS; performance.now() < end; await sleep(20)) {
    if (failure !== undefined) throw notPossible(failure);
    if (await answers(place)) return;
  }
  throw notPossible(`${name} took no connection within ${START_PATIENCE_MS / 1000} s`);
}

function answers(place: Place): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof place === 'number' ? connect(place, '127.0.0.1') : connect(place);
    const end = (there: boolean) => {
      socket.destroy();
      resolve(there);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}
