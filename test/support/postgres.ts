import { chownSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { poll } from './poll.js';
import type { ServerBench, Started, StartOptions } from './servers.js';

const NOBODY = 65534;

/** The folder of the newest PostgreSQL's programs; nothing where there is none. */
export function postgresPrograms(): string | undefined {
  const root = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(root).filter((name) => readdirSync(`${root}/${name}/bin`).includes('pgbench'));
    return versions.sort((a, b) => Number(b) - Number(a)).map((version) => `${root}/${version}/bin`)[0];
  } catch {
    return undefined;
  }
}

interface Postgres {
  server: Started;
  /** How it and its clients run: as a user that is not root. */
  options: StartOptions;
  /** The begin of a client's command: `client('psql')`. */
  client(program: string): string[];
}

/** A server with an empty cluster of its own, where there is a PostgreSQL. */
export async function startPostgres(bench: ServerBench, port: number, more: StartOptions = {}): Promise<Postgres> {
  const programs = postgresPrograms();
  // It refuses to run as root.
  const uid = process.geteuid?.() || NOBODY;
  const [data, options] = [join(bench.folder, 'data'), { ...more, uid }];
  mkdirSync(data, { mode: 0o700 });
  chownSync(data, uid, uid);
  const make = ['-D', data, '-A', 'trust', '-U', 'tester', '--locale=C', '--no-sync'];
  await bench.output([`${programs}/initdb`, ...make], { ...options, plain: true });
  // Its workers come and go as they like: a test could not say which processes there are.
  const words = ['fsync=off', 'autovacuum=off', 'unix_socket_directories=', `port=${port}`];
  const settings = words.flatMap((one) => ['-c', one]);
  const command = [`${programs}/postgres`, '-D', data, '-h', '127.0.0.1', ...settings];
  const server = await bench.server(port, command, options);
  const where = ['-h', '127.0.0.1', '-p', `${port}`, '-U', 'tester'];
  // It listens before it is ready.
  const ready = [`${programs}/pg_isready`, '-q', ...where];
  await poll('PostgreSQL is ready', async () => (await bench.run(ready, { ...options, plain: true })).status === 0);
  return { server, options, client: (program) => [`${programs}/${program}`, ...where] };
}

/** What pgbench moves to and fro: all of these are the same, as long as nothing was lost. */
export const PGBENCH_SUMS = [
  ...['accounts', 'tellers', 'branches'].map((name) => `(select sum(${name[0]}balance) from pgbench_${name})`),
  '(select sum(delta) from pgbench_history)',
];
