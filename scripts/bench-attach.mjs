// How long attaching to redis and leaving it stops it, under load, and what it gains meanwhile:
// node scripts/bench-attach.mjs [CYCLES] [CONNECTIONS...] | throughput [ROUNDS]. Exit code 1 where a median is above what is wanted.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { require, root } from './tools.mjs';

require({ 'redis-server': 'redis-server', 'redis-benchmark': 'redis-tools' });
const INJECT = join(root, 'build/release/sockdoc-inject');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (text) => process.stdout.write(`${text}\n`);

/** The most that a median may be, in milliseconds, by connections. */
const WANTED = { 1: 5, 50: 50, 5000: 100 };
const WINDOW_MS = 2000;

const [first, ...more] = process.argv.slice(2);
if (first === 'throughput') {
  await throughput(Number(more[0] ?? 5), 1);
  await throughput(Number(more[0] ?? 5), 16);
} else {
  const counts = more.length > 0 ? more.map(Number) : [1, 50];
  for (const count of counts) await stops(Number(first ?? 20), count);
}

/** `work(server, benchmark, port)` with a redis under the load of `count` connections. */
async function underLoad(count, depth, work) {
  const port = String(20000 + Math.floor(Math.random() * 10000));
  const server = spawn('redis-server', ['--port', port, '--save', '', '--maxclients', '15000'], { stdio: 'ignore' });
  await pause(300);
  const words = ['-p', port, '-c', String(count), '-P', String(depth), '-l', '-q', '-t', 'get'];
  const load = spawn('redis-benchmark', words, { stdio: 'ignore' });
  try {
    await pause(500 + count / 5);
    await work(server, load, port);
  } finally {
    load.kill('SIGKILL');
    server.kill('SIGKILL');
  }
}

async function stops(cycles, count) {
  const times = { 'first attach': [], attach: [], detach: [], 'of these, all threads': [] };
  for (let i = 0; i < cycles; i++) {
    await underLoad(count, 1, async (server) => {
      for (const kind of ['first attach', 'detach', 'attach', 'detach']) {
        const said = inject(kind.endsWith('attach') ? 'attach' : 'detach', server.pid);
        times[kind].push(said.stoppedMs);
        times['of these, all threads'].push(said.allStoppedMs);
        await pause(50);
      }
    });
  }
  say(`redis, connections under load: ${count} (${loadOfMachine()})`);
  for (const [kind, values] of Object.entries(times)) say(`  ${kind.padEnd(22)} ${distribution(values)}`);
  const wanted = WANTED[count];
  if (wanted === undefined) return;
  const missed = ['first attach', 'attach'].filter((kind) => at(sorted(times[kind]), 0.5) > wanted);
  say(`  wanted: a median of at most ${wanted} ms${missed.length > 0 ? `; missed by: ${missed.join(', ')}` : ''}`);
  if (missed.length > 0) process.exitCode = 1;
}

/** Commands per second by the kernel, with both ends attached, and by the kernel again, in turns. */
async function throughput(rounds, depth) {
  const rates = { before: [], attached: [], after: [] };
  const folder = mkdtempSync(join(tmpdir(), 'sockdoc-bench-'));
  const socket = join(folder, 'monitor.sock');
  const monitor = spawn(join(root, 'build/release/sockdoc-monitor'), ['--socket', socket], { stdio: 'ignore' });
  try {
    await underLoad(50, depth, async (server, load, port) => {
      const pids = [server.pid, load.pid];
      rates.before.push(await rateOf(port));
      for (let i = 0; i < rounds; i++) {
        for (const pid of pids) inject('attach', pid, ['--monitor', socket]);
        await pause(500);
        rates.attached.push(await rateOf(port));
        for (const pid of pids) inject('detach', pid);
        await pause(200);
        rates.after.push(await rateOf(port));
      }
    });
  } finally {
    monitor.kill();
    rmSync(folder, { recursive: true, force: true });
  }
  say(`redis, 50 connections, pipelining ${depth}, thousand commands per second (${loadOfMachine()})`);
  for (const [kind, values] of Object.entries(rates)) say(`  ${kind.padEnd(9)} ${distribution(values)}`);
  const [before, attached, after] = Object.values(rates).map((values) => at(sorted(values), 0.5));
  say(`  attached by before: ${(attached / before).toFixed(2)}, after by before: ${(after / before).toFixed(2)}`);
}

async function rateOf(port) {
  const commands = () => {
    const { stdout } = spawnSync('redis-cli', ['-p', port, 'info', 'stats'], { encoding: 'utf8' });
    return Number(/total_commands_processed:(\d+)/.exec(stdout)[1]);
  };
  const [begin, count] = [performance.now(), commands()];
  await pause(WINDOW_MS);
  return (commands() - count) / (performance.now() - begin);
}

function inject(verb, pid, options = []) {
  const library = verb === 'attach' ? ['--library', join(root, 'build/release/libsd.so')] : [];
  const { stdout } = spawnSync(INJECT, [verb, String(pid), ...library, ...options], { encoding: 'utf8' });
  const said = JSON.parse(stdout).process;
  if (said.state === 'refused') throw new Error(said.reason);
  return said;
}

function loadOfMachine() {
  return `load of the machine: ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`;
}

function sorted(values) {
  return [...values].sort((a, b) => a - b);
}

function at(values, share) {
  return values[Math.min(values.length - 1, Math.floor(values.length * share))];
}

function distribution(values) {
  const all = sorted(values);
  const of = (share) => at(all, share).toFixed(1).padStart(6);
  return `least ${of(0)}, median ${of(0.5)}, 90 % ${of(0.9)}, 99 % ${of(0.99)}, most ${of(1)}  (${all.length})`;
}
