// What libsd adds to a call that it passes on, and to the start of a program: node scripts/bench-intercept.mjs
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fail, root, run } from './tools.mjs';

const LIBSD = join(root, 'build/release/libsd.so');
const program = join(root, 'build/programs/call_cost');
const STARTS = 200;

run('mkdir', ['-p', join(root, 'build/programs')]);
run('cc', ['-O2', '-D_GNU_SOURCE', '-pthread', '-o', program, join(root, 'fixtures/programs/libsd/call_cost.c')]);

const { stdout, stderr, status } = spawnSync('taskset', ['-c', '0', program], {
  encoding: 'utf8',
  env: { ...process.env, LD_PRELOAD: LIBSD },
});
if (status !== 0) fail(`${program}: ${stderr}`);
const rows = stdout.trim().split('\n').map(JSON.parse);
process.stdout.write('ns per call             plain  patched  added (best turns)\n');
for (const { call, plain, patched, added, addedBest } of rows) {
  const numbers = [plain.toFixed(1).padStart(8), patched.toFixed(1).padStart(8), added.toFixed(2).padStart(6)].join(
    ' ',
  );
  process.stdout.write(`${call.padEnd(28)}${numbers} (${addedBest.toFixed(2)})\n`);
}

/** Microseconds that `true` takes from start to end, with and without, in turns; the medians. */
function start() {
  const times = { plain: [], preloaded: [] };
  for (let i = 0; i < STARTS; i++) {
    for (const [name, env] of [
      ['plain', {}],
      ['preloaded', { LD_PRELOAD: LIBSD }],
    ]) {
      const begin = process.hrtime.bigint();
      spawnSync('/bin/true', { env });
      times[name].push(Number(process.hrtime.bigint() - begin) / 1000);
    }
  }
  const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
  return { plain: median(times.plain), preloaded: median(times.preloaded) };
}
const { plain, preloaded } = start();
process.stdout.write(
  `start and end of a program: ${plain.toFixed(0)} µs, with libsd ${preloaded.toFixed(0)} µs: ${(preloaded - plain).toFixed(0)} µs more\n`,
);
