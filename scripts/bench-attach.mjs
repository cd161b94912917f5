// How long attaching to redis and leaving it stops it, under load: node scripts/bench-attach.mjs [CYCLES] [CONNECTIONS...]
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { require, root } from './tools.mjs';

require({ 'redis-server': 'redis-server', 'redis-benchmark': 'redis-tools' });
const [cycles = 20, ...connections] = process.argv.slice(2).map(Number);
const INJECT = join(root, 'build/release/sockdoc-inject');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

for (const count of connections.length > 0 ? connections : [1, 50]) await measure(count);

async function measure(count) {
  const times = { 'first attach': [], attach: [], detach: [], 'of these, all threads': [] };
  for (let i = 0; i < cycles; i++) {
    const port = String(20000 + Math.floor(Math.random() * 10000));
    const server = spawn('redis-server', ['--port', port, '--save', '', '--maxclients', '15000'], { stdio: 'ignore' });
    await pause(300);
    const load = spawn('redis-benchmark', ['-p', port, '-c', String(count), '-l', '-q', '-t', 'get'], {
      stdio: 'ignore',
    });
    try {
      await pause(500 + count / 5);
      for (const kind of ['first attach', 'detach', 'attach', 'detach']) {
        const said = inject(kind.endsWith('attach') ? 'attach' : 'detach', server.pid);
        times[kind].push(said.stoppedMs);
        times['of these, all threads'].push(said.allStoppedMs);
        await pause(50);
      }
    } finally {
      load.kill('SIGKILL');
      server.kill('SIGKILL');
    }
  }
  const [load] = readFileSync('/proc/loadavg', 'utf8').split(' ');
  process.stdout.write(`redis, connections under load: ${count} (load of the machine: ${load})\n`);
  for (const [kind, values] of Object.entries(times))
    process.stdout.write(`  ${kind.padEnd(22)} ${distribution(values)}\n`);
}

function inject(verb, pid) {
  const library = verb === 'attach' ? ['--library', join(root, 'build/release/libsd.so')] : [];
  const { stdout } = spawnSync(INJECT, [verb, String(pid), ...library], { encoding: 'utf8' });
  const { process: said } = JSON.parse(stdout);
  if (said.state === 'refused') throw new Error(said.reason);
  return said;
}

function distribution(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(1).padStart(6);
  return `ms: least ${at(0)}, median ${at(0.5)}, 90 % ${at(0.9)}, most ${at(1)}  (${sorted.length})`;
}
