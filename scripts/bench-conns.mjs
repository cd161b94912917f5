// What `conns` costs, beside ss: node scripts/bench-conns.mjs [RUNS]
// `conns --json`, start-up included, in turns with `ss -tinp` of the same sockets; then what one reading costs that
// follows others, as a live screen takes them: CPU time, and memory of the whole process (root; needs iproute2, cc).
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lines, median, mib, withSockets } from './socket-load.mjs';
import { root } from './tools.mjs';

const name = `sd-bench-${process.pid}`;
const ONCE = [
  { sockets: 1_000, processes: 2 },
  { sockets: 10_000, processes: 10 },
  { sockets: 40_000, processes: 10 },
];
const AGAIN = [
  { sockets: 1_000, processes: 2 },
  { sockets: 100_000, processes: 20 },
];

if (process.argv[2] === '--readings') {
  await readings(process.argv[3], Number(process.argv[4]));
} else {
  const runs = Number(process.argv[2] ?? 7);
  for (const size of ONCE) await withSockets({ name, ...size }, () => compare(size.sockets, runs));
  for (const size of AGAIN) await withSockets({ name, ...size }, () => follow(size.sockets, Math.max(12, runs)));
}

function compare(sockets, runs) {
  const took = (...command) => {
    const start = performance.now();
    execFileSync('ip', ['netns', 'exec', name, ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
    return performance.now() - start;
  };
  const [ours, theirs] = [[], []];
  for (let run = 0; run < runs; run++) {
    theirs.push(took('ss', '-tinp'));
    ours.push(took(process.execPath, join(root, 'bin/run.js'), 'conns', '--json'));
  }
  const show = (times) => `${median(times).toFixed(0)} ms (${times.map((t) => t.toFixed(0)).join(' ')})`;
  const times = (median(ours) / median(theirs)).toFixed(2);
  process.stdout.write(`${sockets} sockets, once: ${times} times what ss takes\n`);
  process.stdout.write(`  ss -tinp               ${show(theirs)}\n  sockdoc conns --json   ${show(ours)}\n`);
}

/** Readings a second apart, in a process of their own, so that the memory is theirs. */
async function follow(sockets, turns) {
  const reader = spawn(process.execPath, [process.argv[1], '--readings', `/run/netns/${name}`, `${turns}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { cpuMs, peak } = JSON.parse(await lines(reader)());
  const [first, ...rest] = cpuMs;
  process.stdout.write(
    `${sockets} sockets, again and again: ${median(rest).toFixed(1)} ms CPU a reading at the median, ` +
      `${Math.max(...rest).toFixed(1)} at most, ${first.toFixed(1)} the first; ${mib(peak)} MiB of memory in all\n`,
  );
}

async function readings(path, turns) {
  const { ConnectionTable } = await import('../dist/probes/connections.js');
  const table = new ConnectionTable();
  const cpuMs = [];
  for (let turn = 0; turn < turns; turn++) {
    const before = process.cpuUsage();
    await table.read({ netns: [{ path }], selfPids: [process.pid], processes: true, selection: { limit: 200 } });
    const { user, system } = process.cpuUsage(before);
    cpuMs.push((user + system) / 1000);
    await sleep(1000);
  }
  process.stdout.write(`${JSON.stringify({ cpuMs, peak: process.resourceUsage().maxRSS * 1024 })}\n`);
}
