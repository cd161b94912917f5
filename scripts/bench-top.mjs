// What `sockdoc top` costs, beside `ss -tinp` once a second and `watch ss -tinp`:   node scripts/bench-top.mjs [SECONDS] [PART...]
// Parts: cost (1,000 and 100,000 sockets), latency (from a key to the changed screen), day (86,400 frames), screens (the whole
// screen for SECONDS, with keys pressed all the time).
// As root; needs iproute2, cc, tmux and watch. Makes network namespaces and processes of its own and takes them away.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './tools.mjs';

const seconds = Number(process.argv[2] ?? 20);
const parts = process.argv.length > 3 ? process.argv.slice(3) : ['cost', 'latency', 'day', 'screens'];
const netns = `sd-bench-${process.pid}`;
const entry = join(root, 'bin/run.js');
const SIZES = [
  { sockets: 1_000, processes: 10 },
  { sockets: 100_000, processes: 200 },
];
const DAY_FRAMES = 86_400;
const KEY_PRESSES = 20;
const TICK_MS = 10; // USER_HZ
const TYPING_MS = 80;
/** All tabs, the rows, details, help, and back. */
const TYPED = ['1', 'j', 'Enter', 'Escape', '2', 'j', '3', 'G', '4', 's', '5', '6', '?', 'Escape'];
/** Stands on the screen while the help is open. */
const HELP = /^ ?Keys/m;
let panes = 0;

if (process.argv[2] === '--frames') await frames(Number(process.argv[3]));
else await bench();

async function bench() {
  process.once('exit', cleanUp);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  if (parts.includes('cost') || parts.includes('latency')) for (const size of SIZES) await withSockets(size, measure);
  if (parts.includes('day')) await withSockets({ sockets: 200, processes: 10 }, day);
  if (parts.includes('screens')) await withSockets({ sockets: 200, processes: 10 }, screens);
}

async function measure({ sockets, processes }) {
  // Those of the whole host are looked at too: some 55 µs each time for one that runs.
  const others = familyOf(1).length;
  print(
    `\n${sockets} sockets in ${processes} processes on a host of ${others} processes, once a second for ${seconds} s\n`,
  );
  if (parts.includes('cost')) {
    await costOf('sockdoc top', () => inPane(`${process.execPath} ${entry} top`), { isNode: true });
    await costOf('sockdoc top --json', () => inPane(`${process.execPath} ${entry} top --json > /dev/null`), {});
    await costOf('ss -tinp', () => inPane('sh -c "while :; do ss -tinp > /dev/null; sleep 1; done"'), {});
    await costOf('watch -n 1 ss -tinp', () => inPane('watch -n 1 ss -tinp'), {});
  }
  if (parts.includes('latency')) await latency();
}

/** CPU time of a program and of what it started and waited for, by second; its largest memory. */
async function costOf(name, start) {
  const pane = await start();
  try {
    await sleep(10_000); // started, and compiled
    const before = usageOf(pane.pid);
    await sleep(seconds * 1000);
    const after = usageOf(pane.pid);
    const share = (after.cpuMs - before.cpuMs) / (after.atMs - before.atMs);
    print(
      `  ${name.padEnd(22)}${(share * 100).toFixed(1).padStart(6)} % of a CPU, at most ${mib(after.peakBytes)} MiB\n`,
    );
  } finally {
    pane.end();
  }
}

/** Of a process and all below it: a shell's children that have ended are in its cutime, those that live are added. */
function usageOf(pid) {
  let cpuMs = 0;
  let peakBytes = 0;
  for (const one of familyOf(pid)) {
    try {
      const stat = readFileSync(`/proc/${one}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      cpuMs += [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) * TICK_MS;
      const peak = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0) * 1024;
      peakBytes = Math.max(peakBytes, peak);
    } catch {
      // It has just ended: whoever waited for it has its time.
    }
  }
  return { atMs: performance.now(), cpuMs, peakBytes };
}

function familyOf(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      parents.set(parent, [...(parents.get(parent) ?? []), Number(name)]);
    } catch {}
  }
  const family = [pid];
  for (const member of family) family.push(...(parents.get(member) ?? []));
  return family;
}

/** From a key to the screen that shows it, while the readings go on; the help is opened and closed in turn. */
async function latency() {
  const pane = await inPane(`${process.execPath} ${entry} top`);
  try {
    await until(() => pane.screen().includes('Connections'), 30_000);
    await sleep(2000);
    const times = [];
    for (let press = 0; press < KEY_PRESSES; press++) {
      const before = pane.screen();
      const isOpen = HELP.test(before);
      const start = performance.now();
      pane.key('?');
      await until(() => HELP.test(pane.screen()) !== isOpen, 10_000);
      times.push(performance.now() - start);
      await sleep(170 + 137 * (press % 5)); // at all moments of the interval
    }
    const sorted = times.toSorted((a, b) => a - b);
    print(
      `  key to screen: median ${ms(sorted[KEY_PRESSES >> 1])}, worst ${ms(sorted.at(-1))} (with up to 10 ms of looking)\n`,
    );
  } finally {
    pane.end();
  }
}

/** A day of frames, one after the other as fast as they come, in a process of its own that says how much memory it has. */
async function day() {
  print(`\n${DAY_FRAMES} frames of 200 sockets, without a pause\n`);
  const child = spawn(
    'ip',
    ['netns', 'exec', netns, process.execPath, '--expose-gc', process.argv[1], '--frames', `${DAY_FRAMES}`],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const status = await new Promise((resolve) => child.once('exit', resolve));
  if (status !== 0) throw new Error(`the frames ended with status ${status}`);
}

async function frames(count) {
  const { Sampler } = await import('../dist/services/watch/sampler.js');
  const sampler = await Sampler.open({ pids: [] });
  const request = { intervalMs: 1000, sort: 'rate', reverse: false, filter: [], limit: 200, keep: [] };
  const began = performance.now();
  for (let done = 0; done <= count; done++) {
    await sampler.read(request);
    if (done % (count / 8) !== 0) continue;
    globalThis.gc();
    const { rss, heapUsed } = process.memoryUsage();
    print(`  after ${String(done).padStart(6)} frames: ${mib(rss)} MiB, of that ${mib(heapUsed)} MiB of JavaScript\n`);
  }
  sampler.close();
  print(`  ${((performance.now() - began) / count).toFixed(1)} ms a frame\n`);
}

/** The command itself, as fast as it goes: what it holds after its garbage was collected, and what it takes. */
async function screens() {
  const notes = join(root, `build/screens-${process.pid}`);
  const pane = await inPane(`${process.execPath} --import '${noting(notes)}' ${entry} top --interval 100`);
  try {
    await until(() => pane.screen().includes('Connections'), 30_000);
    print(`\nthe screen of 200 sockets ten times a second, with ${1000 / TYPING_MS} keys a second, for ${seconds} s\n`);
    for (let eighth = 0; eighth <= 8; eighth++) {
      const end = performance.now() + (seconds * 1000) / 8;
      for (let key = 0; eighth > 0 && performance.now() < end; key++) {
        pane.key(TYPED[key % TYPED.length]);
        await sleep(TYPING_MS);
      }
      process.kill(pane.pid, 'SIGUSR2');
      await until(() => notesOf(notes).length > eighth, 10_000);
      const { heapUsed, external, rss, written } = notesOf(notes).at(-1);
      print(
        `  after ${String(Math.round((eighth * seconds) / 8)).padStart(5)} s: ${(heapUsed / 2 ** 20).toFixed(2)} MiB of JavaScript, ${(external / 2 ** 20).toFixed(2)} MiB beside it, ${mib(rss)} MiB in all; ${written} screens written\n`,
      );
    }
  } finally {
    pane.end();
    rmSync(notes, { force: true });
  }
}

/** A module that writes down what the process takes and holds at each SIGUSR2, and how often it wrote. */
function noting(path) {
  const code = `
    import { appendFileSync } from 'node:fs';
    import { setFlagsFromString } from 'node:v8';
    import { runInNewContext } from 'node:vm';
    let written = 0;
    const write = process.stdout.write;
    process.stdout.write = function (...args) { written++; return write.apply(this, args); };
    process.on('SIGUSR2', () => {
      const { rss } = process.memoryUsage();
      setFlagsFromString('--expose-gc');
      const collect = runInNewContext('gc');
      for (let time = 0; time < 3; time++) collect();
      appendFileSync(${JSON.stringify(path)}, JSON.stringify({ ...process.memoryUsage(), rss, written }) + '\\n');
    });`;
  return `data:text/javascript,${encodeURIComponent(code).replaceAll("'", '%27')}`;
}

function notesOf(path) {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').map(JSON.parse);
  } catch {
    return [];
  }
}

async function withSockets(size, body) {
  const program = compiled('many_sockets');
  ip('netns', 'add', netns);
  let holder;
  try {
    ip('netns', 'exec', netns, 'ip', 'link', 'set', 'lo', 'up');
    holder = spawn('ip', [
      'netns',
      'exec',
      netns,
      program,
      `${size.processes}`,
      `${size.sockets / size.processes / 2}`,
    ]);
    await new Promise((resolve, reject) => {
      holder.stdout.once('data', resolve);
      holder.once('exit', () => reject(new Error('the sockets could not be opened')));
    });
    await body(size);
  } finally {
    if (holder) {
      const gone = new Promise((resolve) => holder.once('exit', resolve));
      holder.stdin.end();
      await gone;
    }
    ip('netns', 'delete', netns);
  }
}

/** A program on a terminal of 120 × 40 in the namespace. */
async function inPane(command) {
  const server = `${netns}-${panes++}`; // a server that ends would take a new session with it
  const tmux = (...args) => execFileSync('tmux', ['-L', server, '-f', '/dev/null', ...args], { encoding: 'utf8' });
  tmux('new-session', '-d', '-x', '120', '-y', '40', `exec ip netns exec ${netns} ${command}`);
  const pid = Number(tmux('list-panes', '-F', '#{pane_pid}').trim());
  return {
    pid,
    screen: () => tmux('capture-pane', '-p'),
    key: (key) => tmux('send-keys', key),
    end: () => endPane(server),
  };
}

function endPane(server) {
  spawnSync('tmux', ['-L', server, 'kill-server'], { stdio: 'ignore' });
}

async function until(condition, deadlineMs) {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error('the screen did not change');
    await sleep(2);
  }
}

function compiled(name) {
  mkdirSync(join(root, 'build/programs'), { recursive: true });
  const program = join(root, 'build/programs', name);
  execFileSync('cc', ['-O1', '-o', program, join(root, `fixtures/programs/${name}.c`)]);
  return program;
}

function cleanUp() {
  for (let pane = 0; pane < panes; pane++) endPane(`${netns}-${pane}`);
  spawnSync('ip', ['netns', 'delete', netns], { stdio: 'ignore' });
}

function ip(...args) {
  execFileSync('ip', args, { stdio: 'inherit' });
}

function print(text) {
  process.stdout.write(text);
}

function mib(bytes) {
  return Math.round(bytes / 2 ** 20);
}

function ms(time) {
  return `${time.toFixed(0)} ms`;
}
