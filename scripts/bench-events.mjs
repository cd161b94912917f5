// What counting connections that end costs them: node scripts/bench-events.mjs [ROUNDS]
// A client and a server open and close 20,000 connections over the loopback of a namespace (root; needs iproute2, cc) with
// nothing listening, with the tracepoint's program, and with the destroy events. Rounds alternate, so that all meet the same
// noise; medians are printed, and every round. CPU time is that of the whole host (/proc/stat): have it quiet.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from './tools.mjs';

const COUNT = 20_000;
const rounds = Number(process.argv[2] ?? 7);
const name = `sd-bench-${process.pid}`;
const WAYS = { nothing: undefined, tracepoint: {}, 'destroy events': { destroyEventsOnly: true } };
const { ConnectionEvents } = await import('../dist/probes/native.js');

process.once('exit', () => spawnSync('ip', ['netns', 'delete', name], { stdio: 'ignore' }));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const program = build();
ip('netns', 'add', name);
ip('netns', 'exec', name, 'ip', 'link', 'set', 'lo', 'up');
// Ports in TIME_WAIT would run out, and looking for a free one takes longer and longer.
ip('netns', 'exec', name, 'sysctl', '-qw', 'net.ipv4.ip_local_port_range=1024 65535', 'net.ipv4.tcp_max_tw_buckets=0');
const server = start('serve', '127.0.0.1', 'client');
const { port } = JSON.parse((await server.line()).slice('ready '.length));
const client = start('connect', '127.0.0.1', port, 'client');
await client.line();
const results = Object.fromEntries(Object.keys(WAYS).map((way) => [way, []]));
for (let round = 0; round <= rounds; round++) {
  for (const [way, request] of Object.entries(WAYS)) {
    const result = await measure(request);
    if (round > 0) results[way].push(result); // the first warms up
  }
}
report();
server.child.kill();
client.child.kill();

async function measure(request) {
  const events = request && new ConnectionEvents();
  const gaps = (await events?.start([`/run/netns/${name}`], request))?.gaps ?? [];
  if (gaps.length > 0) throw new Error(JSON.stringify(gaps));
  const busy = busyMs();
  const began = performance.now();
  client.child.stdin.write(`go ${COUNT}\n`);
  await client.line();
  const ms = performance.now() - began;
  const deadline = performance.now() + 5000; // the kernel tells of the last ones a moment later
  let ended = 0;
  while (events && ended < 2 * COUNT && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    ended += (await events.read()).netns[0].ended;
  }
  if (events && ended !== 2 * COUNT) process.stderr.write(`${ended} of ${2 * COUNT} counted\n`);
  const cpuMs = busyMs() - busy;
  events?.stop();
  return { perS: (COUNT * 1000) / ms, cpuUs: (cpuMs * 1000) / COUNT };
}

function report() {
  for (const [way, all] of Object.entries(results)) {
    const show = (key) => `${median(all.map((one) => one[key])).toFixed(key === 'perS' ? 0 : 1)}`;
    const every = all.map((one) => `${one.perS.toFixed(0)}/${one.cpuUs.toFixed(1)}`).join(' ');
    process.stdout.write(`${way.padEnd(15)} ${show('perS')} connections/s, ${show('cpuUs')} µs CPU each (${every})\n`);
  }
}

function start(...args) {
  const child = spawn('ip', ['netns', 'exec', name, program, ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`churn ${args[0]} ended early`);
    return value;
  };
  return { child, line };
}

/** Of all CPUs, user to steal without idle and iowait. */
function busyMs() {
  const ticks = /^cpu +(.*)/.exec(readFileSync('/proc/stat', 'utf8'))[1].split(' ').map(Number);
  return ticks.filter((_, i) => i !== 3 && i !== 4 && i < 8).reduce((sum, n) => sum + n, 0) * 10;
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function ip(...args) {
  execFileSync('ip', args, { stdio: 'inherit' });
}

function build() {
  mkdirSync(join(root, 'build/programs'), { recursive: true });
  const target = join(root, 'build/programs/churn');
  execFileSync('cc', ['-O1', '-o', target, join(root, 'fixtures/programs/churn.c')]);
  return target;
}
