import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compiled } from './libsd.js';
import { freePort } from './ports.js';
import { PGBENCH_SUMS, postgresPrograms, startPostgres } from './postgres.js';
import { family, type ServerBench, type Started, type StartOptions } from './servers.js';

const PROGRAMS = fileURLToPath(new URL('../../fixtures/programs/servers', import.meta.url));
const PYTHON = '/usr/bin/python3';
const PLAIN: StartOptions = { plain: true };

/** A server and its clients, at full load, all started plainly. */
export interface Loaded {
  port: number;
  /** All processes that have ends of its connections. */
  pids(): number[];
  /** Ends of connections that stay for as long as the clients run. */
  ends: number;
  /** Clients that say a number at this question, of right answers; where one is wrong they end. */
  checkers: Started[];
  question?: string;
  /** Clients that say what goes wrong, and else nothing like `trouble`. */
  benchmarks: Started[];
  trouble: RegExp;
  /** What can be told only when all is over. */
  atLast?: () => Promise<void>;
}

export interface LoadedServer {
  name: string;
  needs: readonly string[];
  start(bench: ServerBench): Promise<Loaded>;
}

const requests = (bench: ServerBench, protocol: string, port: number, connections: number, depth: number) =>
  bench.start([PYTHON, '-u', `${PROGRAMS}/requests.py`, protocol, `${port}`, `${connections}`, `${depth}`], PLAIN);

const pidsOf = (...all: readonly Started[]) => all.flatMap(({ pid }) => family(pid));

async function redis(bench: ServerBench, depth: number): Promise<Loaded> {
  const port = await freePort();
  const words = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const server = await bench.server(port, ['redis-server', ...words], PLAIN);
  const load = ['-c', '50', '-P', `${depth}`, '-n', '1000000000', '-r', '1000', '-t', 'set', '-q'];
  const benchmark = bench.start(['redis-benchmark', '-p', `${port}`, ...load], PLAIN);
  const checker = requests(bench, 'redis', port, 4, depth);
  const pids = () => pidsOf(server, benchmark, checker);
  return { port, pids, ends: 108, checkers: [checker], benchmarks: [benchmark], trouble: /error|reset|closed/i };
}

async function memcached(bench: ServerBench): Promise<Loaded> {
  const port = await freePort();
  // What it forgets for want of memory would count as wrong.
  const words = ['-t', '4', '-m', '1024', '-p', `${port}`, '-U', '0', '-l', '127.0.0.1', '-u', 'root'];
  const server = await bench.server(port, ['memcached', ...words], PLAIN);
  // It verifies each fifth answer, and says which is wrong.
  const load = ['-T', '2', '-c', '16', '-t', '10h', '-X', '200', '-v', '0.2', '-b'];
  const benchmark = bench.start(['memcaslap', '-s', `127.0.0.1:${port}`, ...load], PLAIN);
  const checker = requests(bench, 'memcached', port, 4, 8);
  const pids = () => pidsOf(server, benchmark, checker);
  return { port, pids, ends: 40, checkers: [checker], benchmarks: [benchmark], trouble: /fail|error|timeout|close/i };
}

async function nginx(bench: ServerBench): Promise<Loaded> {
  const port = await freePort();
  const conf = join(bench.folder, 'nginx.conf');
  writeFileSync(
    conf,
    `daemon off; user root; worker_processes 2; pid ${bench.folder}/pid; error_log /dev/null; events {}
     http { access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
       server { listen 127.0.0.1:${port}; location / { return 200 "$request_uri"; } } }`,
  );
  const master = await bench.server(port, ['nginx', '-c', conf, '-p', bench.folder], PLAIN);
  const benchmark = bench.start(['wrk', '-t2', '-c20', '-d10h', `http://127.0.0.1:${port}/`], PLAIN);
  const checker = requests(bench, 'http', port, 4, 4);
  const pids = () => pidsOf(master, benchmark, checker).filter((pid) => pid !== master.pid);
  const atLast = async () => {
    process.kill(benchmark.pid, 'SIGINT');
    await benchmark.over();
    if (!/requests in/.test(benchmark.said)) throw new Error(`wrk does not end well: ${benchmark.said}`);
  };
  return {
    port,
    pids,
    ends: 48,
    checkers: [checker],
    benchmarks: [benchmark],
    trouble: /Socket errors|Non-2xx/,
    atLast,
  };
}

async function postgres(bench: ServerBench): Promise<Loaded> {
  const port = await freePort();
  const { server, options, client } = await startPostgres(bench, port, PLAIN);
  await bench.output([...client('pgbench'), '-i', '-q', '-s', '4', 'postgres'], options);
  const benchmark = bench.start([...client('pgbench'), '-c', '6', '-j', '2', '-T', '36000', 'postgres'], options);
  const psql = [...client('psql'), '-XAtq', 'postgres'];
  const checker = bench.start(psql, options);
  const question = 'select count(*) from pgbench_history;\n';
  const atLast = async () => {
    await benchmark.stop();
    const said = await bench.output([...psql, '-c', `select ${PGBENCH_SUMS.join(', ')}`], options);
    if (new Set(said.trim().split('|')).size !== 1) throw new Error(`money is lost: ${said}`);
  };
  const pids = () => pidsOf(server, benchmark, checker);
  const trouble = /error|abort|fail/i;
  return { port, pids, ends: 14, checkers: [checker], question, benchmarks: [benchmark], trouble, atLast };
}

/** A pair of our own: the server says its port, the client counts. */
async function pair(
  bench: ServerBench,
  command: readonly string[],
  ends: number,
  words: readonly string[] = [],
): Promise<Loaded> {
  const server = bench.start([...command, 'serve'], PLAIN);
  const port = Number(/"port": ?(\d+)/.exec(await server.say('', /ready .*\n/))?.[1]);
  const client = bench.start([...command, 'ask', `${port}`, ...words], PLAIN);
  return {
    port,
    pids: () => pidsOf(server, client),
    ends,
    checkers: [client],
    benchmarks: [server],
    trouble: /wrong|error/i,
  };
}

export const LOADED_SERVERS: readonly LoadedServer[] = [
  { name: 'redis', needs: ['redis-server', 'redis-benchmark'], start: (bench) => redis(bench, 1) },
  { name: 'redis, pipelining', needs: ['redis-server', 'redis-benchmark'], start: (bench) => redis(bench, 16) },
  { name: 'nginx and its workers', needs: ['nginx', 'wrk'], start: nginx },
  { name: 'memcached', needs: ['memcached', 'memcaslap'], start: memcached },
  { name: 'PostgreSQL', needs: [`${postgresPrograms() ?? 'postgresql'}/pgbench`, 'setpriv'], start: postgres },
  {
    name: 'asyncio',
    needs: [PYTHON],
    start: (bench) => pair(bench, [PYTHON, '-u', `${PROGRAMS}/asyncio_echo.py`], 16, ['8']),
  },
  {
    name: 'HTTP by Node',
    needs: [],
    start: (bench) => pair(bench, [process.execPath, `${PROGRAMS}/http_pair.mjs`], 16, ['8']),
  },
  { name: 'threads in blocking calls', needs: ['cc'], start: (bench) => pair(bench, [compiled('servers/calls')], 56) },
];
