// For benchmarks: a network namespace full of TCP sockets, held by many processes (root; needs iproute2, cc).
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './tools.mjs';

/**
 * Makes the namespace and so many sockets, both ends of connections over loopback, spread evenly over the processes
 * (the hard limit of descriptors may be 20,000), runs the body, and takes all of it away again.
 */
export async function withSockets({ name, sockets, processes }, body) {
  const program = build();
  // Interrupted, or with nobody reading any more: the holders end with their stdin, the namespace must be taken away.
  const remove = () => spawnSync('ip', ['netns', 'delete', name], { stdio: 'ignore' });
  process.once('exit', remove);
  const stop = () => process.exit(1);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
  ip('netns', 'add', name);
  let holder;
  try {
    ip('netns', 'exec', name, 'ip', 'link', 'set', 'lo', 'up');
    holder = spawn('ip', ['netns', 'exec', name, program, `${processes}`, `${sockets / processes / 2}`]);
    holder.stderr.on('data', (chunk) => process.stderr.write(chunk));
    const text = await lines(holder)();
    if (text !== 'ready') throw new Error(`the program said "${text}"`);
    await body();
  } finally {
    if (holder) {
      const gone = new Promise((resolve) => holder.once('exit', resolve));
      holder.stdin.end();
      await gone;
    }
    remove();
    process.off('exit', remove);
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, stop);
  }
}

function build() {
  mkdirSync(join(root, 'build/programs'), { recursive: true });
  const program = join(root, 'build/programs/many_sockets');
  execFileSync('cc', ['-O1', '-o', program, join(root, 'fixtures/programs/many_sockets.c')]);
  return program;
}

function ip(...args) {
  execFileSync('ip', args, { stdio: 'inherit' });
}

/** Gives the child's next line of output at each call; throws when it has ended instead. */
export function lines(child) {
  const waiting = [];
  const ready = [];
  let rest = '';
  child.stdout.on('data', (chunk) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop();
    for (const part of parts) {
      if (waiting.length > 0) waiting.shift().resolve(part);
      else ready.push(part);
    }
  });
  child.once('exit', () => {
    for (const { reject } of waiting) reject(new Error('the program ended early'));
  });
  return () =>
    ready.length > 0
      ? Promise.resolve(ready.shift())
      : new Promise((resolve, reject) => waiting.push({ resolve, reject }));
}

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

export const mib = (bytes) => Math.round(bytes / 2 ** 20);
