// What sockdoc advise predicts beside what sockdoc migrate does, for servers that were started plainly, under full load by
// their own load generators: node scripts/bench-advise.mjs [TURNS] [SERVER...] [--keep FOLDER]
// Each turn: by the kernel, advise, migrate, by memory, migrate --back. Requests are counted by the servers, CPU time of both
// ends by the scheduler. --keep writes the documents of advise and the figures of each turn there.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fail, root } from './tools.mjs';

const WINDOW_MS = 2000;
const SETTLE_MS = 500;
const LONG_S = '3600';
const ENDLESS = '2000000000'; // with -l it would connect anew every 100,000 requests
const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { keep: { type: 'string' } } });
const [turns = '5', ...names] = positionals;
const folder = mkdtempSync(join(tmpdir(), 'sockdoc-bench-'));
const env = { ...process.env, SOCKDOC_STATE_DIR: folder, SOCKDOC_MONITOR: join(folder, 'monitor.sock') };

const redis = (name, ...load) => ({
  name,
  server: (port) => ['redis-server', '--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
  load: (port) => ['redis-benchmark', '-p', port, '-t', 'get', '-q', '-n', ENDLESS, ...load],
  ask: 'INFO stats\r\n',
  asked: /total_commands_processed:(\d+)/,
});
const SERVERS = [
  redis('redis', '-c', '50'),
  redis('redis-1', '-c', '1'),
  {
    name: 'nginx',
    server: (port) => ['nginx', '-p', folder, '-c', nginxConfiguration(port)],
    load: (port) => ['wrk', '-t1', '-c50', `-d${LONG_S}s`, `http://127.0.0.1:${port}/`],
    ask: 'GET /status HTTP/1.0\r\n\r\n',
    asked: /requests\s+\d+ \d+ (\d+)/,
  },
  {
    name: 'memcached',
    server: (port) => ['memcached', '-u', 'root', '-l', '127.0.0.1', '-p', port, '-U', '0', '-t', '1'],
    load: (port) => ['memcaslap', '-s', `127.0.0.1:${port}`, '-T', '1', '-c', '16', '-t', `${LONG_S}s`, '-X', '64'],
    ask: 'stats\r\n',
    asked: /cmd_get (\d+)[\s\S]*cmd_set (\d+)[\s\S]*END/,
  },
];

for (const name of names) if (!SERVERS.some((one) => one.name === name)) fail(`there is no server ${name}`);
if (options.keep) mkdirSync(options.keep, { recursive: true });
const summaries = [];
try {
  for (const one of SERVERS) if (names.length === 0 || names.includes(one.name)) summaries.push(await measure(one));
} finally {
  spawnSync(process.execPath, [join(root, 'bin/run.js'), 'monitor', 'stop', '--socket', env.SOCKDOC_MONITOR], { env });
  rmSync(folder, { recursive: true, force: true });
}
writeSummaries();

async function measure(one) {
  const port = String(await freePort());
  const running = [];
  const start = ([program, ...args]) => {
    const child = spawn(program, args, { stdio: 'ignore' });
    running.unshift(child);
    return child;
  };
  const taken = [];
  try {
    const server = start(one.server(port));
    while ((await ask(one, port).catch(() => -1)) < 0) await sleep(50);
    const load = start(one.load(port));
    await sleep(2000);
    for (let turn = 0; turn < Number(turns); turn++)
      taken.push(await takeTurn(one, port, [server.pid, load.pid], turn));
    write(`${one.name.padEnd(10)} afterwards ${figures(await use(one, port, [server.pid, load.pid]))}\n`);
  } finally {
    for (const child of running) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
  }
  return { name: one.name, taken };
}

async function takeTurn(one, port, pids, turn) {
  const kernel = await use(one, port, pids);
  const advice = sockdoc('advise', '--pid', pids[0]);
  const pair = advice.pairs.find(({ client }) => client.pid === pids[1]);
  const { connections } = sockdoc('migrate', ...pids, '--window', '0');
  await sleep(SETTLE_MS);
  const memory = await use(one, port, pids);
  sockdoc('migrate', ...pids, '--back');
  await sleep(SETTLE_MS);
  const lessCpu = usPerRequest(kernel) / usPerRequest(memory);
  const throughput = memory.perS / kernel.perS;
  const { timesLessCpu: predicted = Number.NaN, timesLessCpuBetween: between = [Number.NaN, Number.NaN] } =
    pair.prediction ?? {};
  write(
    `${one.name.padEnd(10)} kernel ${figures(kernel)}  memory ${figures(memory)}  ${connections.moved} moved, ${connections.kept} not` +
      `  throughput ${throughput.toFixed(2)}x  CPU 1/${lessCpu.toFixed(2)}  predicted 1/${predicted.toFixed(2)} (1/${between[0].toFixed(2)} to 1/${between[1].toFixed(2)}) ${pair.verdict}\n`,
  );
  const all = { kernel, memory, lessCpu, throughput, predicted, between, pair };
  if (options.keep)
    writeFileSync(join(options.keep, `${one.name}-${turn}.json`), JSON.stringify({ ...all, advice }, null, 1));
  return all;
}

/** Requests per second, and of each process the CPU time, the time that it waited for a CPU, and how often it slept. */
async function use(one, port, pids) {
  const read = async () => ({ at: performance.now(), asked: await ask(one, port), times: pids.map(timesOf) });
  const before = await read();
  await sleep(WINDOW_MS);
  const after = await read();
  const seconds = (after.at - before.at) / 1000;
  return {
    perS: (after.asked - before.asked) / seconds,
    ends: after.times.map((times, i) => times.map((value, k) => (value - before.times[i][k]) / seconds)),
  };
}

function timesOf(pid) {
  const sums = [0, 0, 0];
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const task = `/proc/${pid}/task/${tid}`;
    const [ranNs, waitedNs] = readFileSync(`${task}/schedstat`, 'utf8').split(' ').map(Number);
    const switches = /^voluntary_ctxt_switches:\t(\d+)/m.exec(readFileSync(`${task}/status`, 'utf8'));
    for (const [k, value] of [ranNs / 1e9, waitedNs / 1e9, Number(switches[1])].entries()) sums[k] += value;
  }
  return sums;
}

function usPerRequest({ perS, ends }) {
  return (ends.reduce((sum, [ran]) => sum + ran, 0) / perS) * 1e6;
}

function figures(used) {
  const ends = used.ends.map(
    ([ran, waited, slept]) => `${ran.toFixed(2)} (+${waited.toFixed(2)}, ${Math.round(slept)}/s)`,
  );
  return `${Math.round(used.perS)}/s ${usPerRequest(used).toFixed(2)} us [${ends.join(', ')}]`;
}

function sockdoc(...args) {
  const command = [join(root, 'bin/run.js'), ...args.map(String), '--json'];
  const { stdout, stderr, status } = spawnSync(process.execPath, command, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`sockdoc ${args.join(' ')}: ${stderr}${stdout}`);
  return JSON.parse(stdout);
}

/** How many requests the server has counted. */
async function ask({ ask, asked }, port) {
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(ask);
  let text = '';
  try {
    for await (const part of socket.setEncoding('latin1')) {
      text += part;
      const found = asked.exec(text);
      if (found) return found.slice(1).reduce((sum, count) => sum + Number(count), 0);
    }
  } finally {
    socket.destroy();
  }
  throw new Error(`no count of requests: ${text}`);
}

function writeSummaries() {
  const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  const rows = summaries.map(({ name, taken }) => {
    const of = (pick) => middle(taken.map(pick));
    const off = taken.map(({ predicted, lessCpu }) => Math.max(predicted / lessCpu, lessCpu / predicted));
    return {
      name,
      predicted: of(({ predicted }) => predicted),
      lessCpu: of(({ lessCpu }) => lessCpu),
      throughput: of(({ throughput }) => throughput),
      off: middle(off),
      worst: Math.max(...off),
      outside: taken.filter(({ between: [least, most], lessCpu }) => lessCpu < least || lessCpu > most).length,
    };
  });
  write(`medians of ${turns}; load ${loadavg()[0]}\n`);
  for (const { name, predicted, lessCpu, throughput, off, worst, outside } of rows)
    write(
      `${name.padEnd(10)} CPU per request: predicted 1/${predicted.toFixed(2)}, measured 1/${lessCpu.toFixed(2)}, off by ${off.toFixed(2)} (worst ${worst.toFixed(2)}), outside of the range ${outside} times; throughput ${throughput.toFixed(2)}x\n`,
    );
  const orderOf = (values) => values.toSorted(([, a], [, b]) => b - a).map(([name]) => name);
  const order = (key) => orderOf(rows.map((row) => [row.name, row[key]])).join(', ');
  if (rows.length < 2) return;
  write(`order predicted: ${order('predicted')}; measured: ${order('lessCpu')}\n`);
  // Turns of different servers are of different times: what differs less from server to server than from turn to turn has no order.
  const inTurn = (turn, key) => orderOf(summaries.map(({ name, taken }) => [name, taken[turn][key]])).join(', ');
  for (const key of ['predicted', 'lessCpu'])
    write(`  turn by turn, ${key}: ${summaries[0].taken.map((_, turn) => inTurn(turn, key)).join(' | ')}\n`);
}

function nginxConfiguration(port) {
  const file = join(folder, 'nginx.conf');
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/pid; error_log /dev/null; events { worker_connections 1024; }
http { access_log off; keepalive_requests 1000000000; ${paths.join(' ')}
  server { listen 127.0.0.1:${port}; location / { return 200 "hello"; } location /status { stub_status; } } }`,
  );
  return file;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function write(text) {
  process.stdout.write(text);
}
