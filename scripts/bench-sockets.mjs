// How long reading all sockets takes, beside `ss -tinp` of the same host: node scripts/bench-sockets.mjs [RUNS]
// Makes a network namespace with 1,000, 10,000 and 100,000 TCP sockets in up to 200 processes (root; needs iproute2, cc).
// Runs alternate, so that both meet the same noise; medians are printed, and every run.
import { execFileSync, spawn } from 'node:child_process';
import { lines, median, mib, withSockets } from './socket-load.mjs';

const runs = Number(process.argv[2] ?? 7);
const name = `sd-bench-${process.pid}`;
const SIZES = [
  { sockets: 1_000, processes: 2 },
  { sockets: 10_000, processes: 20 },
  { sockets: 100_000, processes: 200 },
];

if (process.argv[2] === '--probe') {
  await probe(process.argv[3], Number(process.argv[4]));
} else {
  for (const size of SIZES) await withSockets({ name, ...size }, () => compare(size.sockets));
}

/** In a process of its own, so that its memory is that of the probe: prints the times of its readings. */
async function probe(netns, turns) {
  const { SocketProbe } = await import('../dist/probes/native.js');
  const before = process.memoryUsage().rss;
  const times = [];
  let answer;
  let cpu;
  for (let turn = 0; turn < turns; turn++) {
    process.stdin.resume();
    await new Promise((resolve) => process.stdin.once('data', resolve)); // our turn
    const sockets = new SocketProbe();
    const used = process.cpuUsage();
    const start = performance.now();
    answer = await sockets.read({ netns: [netns], selfPids: [process.pid] });
    times.push(performance.now() - start);
    cpu = process.cpuUsage(used);
    process.stdout.write(`${times.at(-1)}\n`);
  }
  const peak = process.resourceUsage().maxRSS * 1024;
  process.stdout.write(
    `${JSON.stringify({ tcp: answer.netns[0].sockets.tcpTotal, owned: owned(answer), growth: peak - before, peak, cpu })}\n`,
  );
  process.exit(0);
}

function owned(answer) {
  return answer.host.processes.reduce((sum, p) => sum + (p.tcp.established ?? 0), 0);
}

async function compare(sockets) {
  const reader = spawn(process.execPath, [process.argv[1], '--probe', `/run/netns/${name}`, `${runs}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const next = lines(reader);
  const ours = [];
  const theirs = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    execFileSync('ip', ['netns', 'exec', name, 'ss', '-tinp'], { stdio: ['ignore', 'ignore', 'inherit'] });
    theirs.push(performance.now() - start);
    reader.stdin.write('go\n');
    ours.push(Number(await next()));
  }
  const { tcp, owned: seen, growth, peak, cpu } = JSON.parse(await next());
  const show = (times) => `${median(times).toFixed(1)} ms (${times.map((t) => t.toFixed(0)).join(' ')})`;
  process.stdout.write(`${sockets} sockets (${tcp} TCP seen, ${seen} established with their process)\n`);
  process.stdout.write(`  ss -tinp  ${show(theirs)}\n`);
  const { user, system } = cpu;
  process.stdout.write(`  sockdoc   ${show(ours)}; CPU ${user / 1000} ms user, ${system / 1000} ms system\n`);
  process.stdout.write(`            memory +${mib(growth)} MiB, peak of the process ${mib(peak)} MiB\n`);
}
