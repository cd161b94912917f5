// What the scheduler view costs the host: node scripts/bench-sched.mjs [RUNS]   (root; needs cc and python3)
//
// 1. Two processes that do nothing but switch (fixtures/programs/pipes.c), without and with what sockdoc attaches. Runs
//    alternate, so that all meet the same noise; medians are printed, and every run.
// 2. What one reading costs on a host with many threads.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './tools.mjs';

const { SchedulerProbe, SocketShareProbe } = await import('../dist/probes/native.js');
const runs = Number(process.argv[2] ?? 7);
const SECONDS = 1;
const CPU = cpus().length - 1;
const THREADS = [0, 1000, 5000];

const HOLDER = `import sys, threading
threading.stack_size(65536)
stop = threading.Event()
for _ in range(int(sys.argv[1])): threading.Thread(target=stop.wait, daemon=True).start()
print("ready", flush=True)
stop.wait()`;

mkdirSync(join(root, 'build/programs'), { recursive: true });
const pipes = join(root, 'build/programs/pipes');
execFileSync('cc', ['-O1', '-o', pipes, join(root, 'fixtures/programs/pipes.c')]);

await switches();
await readings();

/** Something attached while a run goes on, and how to take it away. */
async function attached(name, child) {
  if (name === 'nothing') return () => {};
  if (name === 'socket shares') {
    const probe = new SocketShareProbe();
    await probe.start();
    return () => probe.stop();
  }
  const probe = new SchedulerProbe();
  await probe.start();
  const { scheduler } = await probe.read({ socketPids: name === 'histograms of both too' ? child : [], selfPids: [] });
  if (scheduler.source !== 'bpf') throw new Error('BPF is not permitted here');
  return () => probe.stop();
}

async function switches() {
  const names = ['nothing', 'histograms', 'histograms of both too', 'socket shares'];
  const times = Object.fromEntries(names.map((name) => [name, []]));
  for (let turn = 0; turn < runs; turn++) {
    for (const name of names) {
      const run = spawn(pipes, [String(CPU), String(SECONDS)], { stdio: ['ignore', 'pipe', 'inherit'] });
      const printed = new Promise((resolve) => run.stdout.once('data', (text) => resolve(String(text))));
      const ended = new Promise((resolve) => run.once('exit', resolve));
      await sleep(20); // its other half is there
      const children = readFileSync(`/proc/${run.pid}/task/${run.pid}/children`, 'utf8').trim().split(' ').map(Number);
      const detach = await attached(name, [run.pid, ...children]);
      const [, nanoseconds] = (await printed).split(' ').map(Number);
      times[name].push(nanoseconds);
      await ended;
      await detach();
    }
  }
  const base = median(times.nothing);
  for (const name of names) {
    const perSwitch = (median(times[name]) - base) / 2;
    const more = name === 'nothing' ? '' : `, ${perSwitch.toFixed(0)} ns more for a switch and a wake-up`;
    const all = times[name].map((one) => one.toFixed(0)).join(' ');
    process.stdout.write(`${name}: ${median(times[name]).toFixed(0)} ns of CPU time a round${more} (${all})\n`);
  }
}

async function readings() {
  for (const threads of THREADS) {
    const holder = spawn('python3', ['-c', HOLDER, String(threads)], { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    for (const serving of [false, true]) {
      const probe = new SchedulerProbe();
      await probe.start();
      const request = { socketPids: serving ? [holder.pid] : [], selfPids: [process.pid] };
      await probe.read(request);
      const times = [];
      for (let turn = 0; turn < runs; turn++) {
        await sleep(200);
        const before = process.cpuUsage();
        await probe.read(request);
        const { user, system } = process.cpuUsage(before);
        times.push((user + system) / 1000);
      }
      await probe.stop();
      const what = serving ? 'that serve sockets' : 'that sleep';
      process.stdout.write(`reading beside ${threads} threads ${what}: ${median(times).toFixed(1)} ms of CPU time\n`);
    }
    holder.kill('SIGKILL');
  }
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
