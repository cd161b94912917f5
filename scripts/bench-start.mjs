// How long the command takes to start: `--version`, `--help`, `check --window 0 --json`, in turn with a bare Node, so that a slow
// moment of the machine meets all of them. Medians and extremes of wall time.   node scripts/bench-start.mjs [ROUNDS]
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './tools.mjs';

const rounds = Number(process.argv[2] ?? 11);
const entry = join(root, 'bin/run.js');
const CASES = {
  'node -e 0': ['-e', '0'],
  '--version': [entry, '--version'],
  '--help': [entry, '--help'],
  'check --list': [entry, 'check', '--list'],
  'check --window 0 --json': [entry, 'check', '--window', '0', '--json', '--fail-on', 'never'],
};

const times = Object.fromEntries(Object.keys(CASES).map((name) => [name, []]));
for (let round = -1; round < rounds; round++) {
  for (const [name, args] of Object.entries(CASES)) {
    const start = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    if (status !== 0) throw new Error(`${name}: status ${status}\n${stderr}`);
    if (round >= 0) times[name].push(performance.now() - start); // the first round only warms the file cache
  }
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const bare = median(times['node -e 0']);
process.stdout.write(`${'ms, of'.padEnd(26)}${String(rounds).padStart(4)} runs: median    min    max   × bare Node\n`);
for (const [name, list] of Object.entries(times)) {
  const cells = [median(list), Math.min(...list), Math.max(...list)].map((ms) => ms.toFixed(0).padStart(7)).join('');
  process.stdout.write(`${name.padEnd(36)}${cells}${(median(list) / bare).toFixed(1).padStart(14)}\n`);
}
