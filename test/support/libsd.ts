import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAMS = join(ROOT, 'fixtures/programs');
const BUILT = join(ROOT, 'build/programs');

export const LIBSD = join(ROOT, 'build/release/libsd.so');

/** libsd patches x86-64 code; elsewhere it is not built. */
export const hasLibsd = process.arch === 'x64';

/** The programs of fixtures/programs/sockets: one per feature, see common.h there. */
export const socketPrograms = readdirSync(join(PROGRAMS, 'sockets'))
  .filter((file) => file.endsWith('.c'))
  .map((file) => file.slice(0, -2));

/** Compiles fixtures/programs/NAME.c where it is newer than what is there; `flags` go into the name. */
export function compiled(name: string, { compiler = 'cc', flags = [] as readonly string[], suffix = '' } = {}): string {
  const source = join(PROGRAMS, `${name}.c`);
  const header = join(PROGRAMS, 'sockets/common.h');
  const target = join(BUILT, `${name}${suffix}`);
  const newest = Math.max(statSync(source).mtimeMs, statSync(header).mtimeMs);
  if (!existsSync(target) || statSync(target).mtimeMs < newest) {
    mkdirSync(join(target, '..'), { recursive: true });
    const fresh = `${target}.${process.pid}`;
    const warnings = ['-Wall', '-Wextra', '-Wno-stringop-overflow'];
    execFileSync(compiler, ['-O1', '-g', '-D_GNU_SOURCE', '-pthread', ...warnings, ...flags, '-o', fresh, source]);
    renameSync(fresh, target);
  }
  return target;
}

/** How a program ended and what it wrote; a hang is ended after `seconds`. */
export function outcome(command: readonly string[], env: Readonly<Record<string, string>> = {}, seconds = 40) {
  const [file, ...args] = command as [string, ...string[]];
  const { stdout, stderr, status, signal } = spawnSync(file, args, {
    env: { PATH: process.env.PATH ?? '', LANG: 'C', ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
  });
  return { stdout, stderr, status, signal };
}

export const preloaded = { LD_PRELOAD: LIBSD };
