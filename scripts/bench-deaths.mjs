// How long a process takes to see that the one at the other end of a connection was killed, by kernel TCP and by shared memory,
// with the monitor at work, stopped and killed meanwhile; in turns:
//   node scripts/bench-deaths.mjs [KILLS] [SEED]
// KILLS (1000) for each, in parts of 50. A death is noticed when a receive says so, after all that came before it was read. Prints microseconds.
import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, root } from './tools.mjs';

const AT_ONCE = 50;
const LIMIT_US = 100_000;
const kills = Number(process.argv[2] ?? 1000);
let seed = Number(process.argv[3] ?? randomInt(1, 2 ** 47));
const folder = mkdtempSync(join(tmpdir(), 'sockdoc-bench-'));
const socket = join(folder, 'monitor.sock');
const program = join(folder, 'killed');
const upgraded = {
  LD_PRELOAD: join(root, 'build/release/libsd.so'),
  SOCKDOC_MONITOR: socket,
  SOCKDOC_AFTER_CALLS: '1',
};
const MODES = [
  { name: 'kernel', env: {} },
  { name: 'shared memory', env: upgraded },
  { name: 'monitor stopped', env: upgraded, disturb: stopAndGoOn },
  { name: 'monitor killed', env: upgraded, disturb: killAndStart },
];
let monitor;

try {
  const flags = ['-O1', '-D_GNU_SOURCE', '-pthread', '-o', program];
  const source = join(root, 'fixtures/programs/libsd/killed.c');
  if (spawnSync('cc', [...flags, source], { stdio: 'inherit' }).status !== 0) fail('cc failed');
  startMonitor();
  const noticed = new Map(MODES.map(({ name }) => [name, []]));
  for (let done = 0; done < kills; done += AT_ONCE) {
    for (const mode of MODES) noticed.get(mode.name).push(...(await deaths(mode, Math.min(AT_ONCE, kills - done))));
  }
  process.stdout.write(`${'us'.padEnd(16)}${['kills', 'p50', 'p99', 'worst', '> 100 ms'].map(cell).join('')}\n`);
  for (const [name, all] of noticed) {
    const sorted = all.toSorted((a, b) => a - b);
    const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
    const late = sorted.filter((us) => us > LIMIT_US).length;
    process.stdout.write(`${name.padEnd(16)}${[sorted.length, at(0.5), at(0.99), at(1), late].map(cell).join('')}\n`);
  }
  process.stdout.write(`load ${loadavg()[0]}\n`);
} finally {
  monitor?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

function cell(value) {
  return String(value).padStart(10);
}

function startMonitor() {
  const program = join(root, 'build/release/sockdoc-monitor');
  monitor = spawn(program, ['--socket', socket], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Microseconds of each. */
async function deaths({ name, env, disturb }, count) {
  const said = spawn(program, [`${seed}`, `${count}`], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  said.stdout.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  let over = false;
  const ended = once(said, 'close').finally(() => {
    over = true;
  });
  while (!over && disturb) await disturb();
  const [status] = await ended;
  if (status !== 0) throw new Error(`${name}, seed ${seed}: ${text}`);
  process.stderr.write(`${name}, seed ${seed}: ${count} kills\n`);
  seed++;
  return JSON.parse(text).noticedUs;
}

async function stopAndGoOn() {
  await sleep(randomInt(1, 100));
  monitor.kill('SIGSTOP');
  await sleep(randomInt(1, 200));
  monitor.kill('SIGCONT');
}

async function killAndStart() {
  // Libsd looks for a monitor once a second; both processes have to find the same one.
  await sleep(randomInt(1000, 4000));
  const gone = once(monitor, 'exit');
  monitor.kill('SIGKILL');
  await gone;
  startMonitor();
}
