// How long the monitor takes to pair a connection, alone and beside a client that floods it with requests, alternating:
// node scripts/bench-monitor.mjs [ROUNDS]. Prints medians in µs of 400 pairings a round.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fail, root } from './tools.mjs';

const PAIRINGS = 400; // four requests each, of the 2,000 a second that a client has
const rounds = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(join(tmpdir(), 'sockdoc-bench-'));
const socket = join(folder, 'monitor.sock');
const children = [];

try {
  const program = compiled();
  const monitor = start(join(root, 'build/release/sockdoc-monitor'), ['--socket', socket]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const measuring = await client(program);
  const quiet = [];
  const flooded = [];
  for (let round = 0; round < rounds; round++) {
    quiet.push(await measure(measuring));
    const wild = await client(program);
    wild.child.stdin.write('rage\n');
    await wild.line();
    flooded.push(await measure(measuring));
    wild.child.kill('SIGKILL');
  }
  monitor.kill();
  const [alone, beside] = [median(quiet), median(flooded)];
  process.stdout.write(
    `alone ${alone} µs (${quiet.join(', ')}), beside a flood ${beside} µs (${flooded.join(', ')}): `,
  );
  process.stdout.write(`${Math.round((beside / alone - 1) * 100)} %\n`);
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

function compiled() {
  const sources = ['ring', 'transport'].flatMap((part) =>
    readdirSync(join(root, 'native', part))
      .filter((file) => file.endsWith('.cc'))
      .map((file) => join(root, 'native', part, file)),
  );
  const target = join(folder, 'client');
  const source = join(root, 'fixtures/programs/monitor_client.cc');
  const flags = ['-std=c++20', '-O2', '-pthread', `-I${join(root, 'native')}`, '-o', target];
  if (spawnSync('g++', [...flags, source, ...sources], { stdio: 'inherit' }).status !== 0) fail('g++ failed');
  return target;
}

function start(file, args) {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function client(program) {
  const child = start(program, [socket]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => (await lines.next()).value;
  await line();
  child.stdin.write('hello\n');
  await line();
  return { child, line };
}

/** Median of one round. The pause lets the allowance of requests fill up again. */
async function measure({ child, line }) {
  await new Promise((resolve) => setTimeout(resolve, 2500));
  child.stdin.write(`measure ${PAIRINGS}\n`);
  return Number((await line()).split(' ')[1]);
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
