import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAMS = join(ROOT, 'fixtures/programs');
const BUILT = join(ROOT, 'build/programs');

export const LIBSD = join(ROOT, 'build/release/libsd.so');

/** libsd patches x86-64 code; elsewhere it is not built. */
export const hasLibsd = process.arch === 'x64';

/** The programs of fixtures/programs/sockets: one per feature, see common.h there; their names for `compiled`. */
export const socketPrograms = readdirSync(join(PROGRAMS, 'sockets'))
  .filter((file) => file.endsWith('.c'))
  .map((file) => `sockets/${file.slice(0, -2)}`);

const HEADERS = ['sockets', 'libsd']
  .flatMap((folder) =>
    readdirSync(join(PROGRAMS, folder))
      .filter((file) => file.endsWith('.h'))
      .map((file) => join(PROGRAMS, folder, file)),
  )
  .concat(['attach', 'own_calls'].map((header) => join(ROOT, `native/abi/${header}.h`)));

interface Build {
  compiler?: string;
  flags?: readonly string[];
  libraries?: readonly string[];
  suffix?: string;
}

/**
 * Where the program of this very text is or belongs, and how to make it where it is not there. Programs of older texts
 * are removed.
 */
function build(name: string, { compiler = 'cc', flags = [], libraries = [], suffix = '' }: Build) {
  const source = join(PROGRAMS, `${name}.c`);
  const warnings = ['-Wall', '-Wextra', '-Wno-stringop-overflow'];
  const command = ['-O1', '-g', '-D_GNU_SOURCE', '-pthread', ...warnings, ...flags];
  const hash = createHash('sha256').update([compiler, ...command, ...libraries].join(' '));
  for (const file of [source, ...HEADERS]) hash.update(readFileSync(file));
  const stem = join(BUILT, `${name}${suffix}`);
  const target = `${stem}-${hash.digest('hex').slice(0, 12)}${suffix === '.so' ? suffix : ''}`;
  if (existsSync(target)) return { target };
  const folder = dirname(target);
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) {
    if (join(folder, file).startsWith(`${stem}-`)) rmSync(join(folder, file));
  }
  const fresh = `${target}.${process.pid}`;
  return { target, fresh, compiler, arguments: [...command, '-o', fresh, source, ...libraries] };
}

/** The program of fixtures/programs/NAME.c. */
export function compiled(name: string, options: Build = {}): string {
  const made = build(name, options);
  if (made.fresh !== undefined) {
    execFileSync(made.compiler, made.arguments);
    renameSync(made.fresh, made.target);
  }
  return made.target;
}

/** Compiles many at once, so that `compiled` finds them. */
export async function compileAll(names: readonly string[]): Promise<void> {
  const left = [...names];
  const worker = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const made = build(name, {});
      if (made.fresh === undefined) continue;
      await promisify(execFile)(made.compiler, made.arguments);
      renameSync(made.fresh, made.target);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

type Environment = Readonly<Record<string, string>>;

export interface Outcome {
  stdout: string;
  stderr: string;
  status: number | null;
  signal: NodeJS.Signals | null;
}

const plainly = (env: Environment) => ({ PATH: process.env.PATH ?? '', LANG: 'C', ...env });

/** How a program ended and what it wrote; a hang is ended after `seconds`. */
export function outcome(command: readonly string[], env: Environment = {}, seconds = 40): Outcome {
  const [file, ...args] = command as [string, ...string[]];
  const { stdout, stderr, status, signal } = spawnSync(file, args, {
    env: plainly(env),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
  });
  return { stdout, stderr, status, signal };
}

/** The same while others run. */
export function outcomeOf(
  command: readonly string[],
  env: Environment = {},
  seconds = 40,
  cwd?: string,
): Promise<Outcome> {
  const [file, ...args] = command as [string, ...string[]];
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: plainly(env),
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: seconds * 1000,
      killSignal: 'SIGKILL',
    });
    const said = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.stderr += text;
    });
    child.once('error', reject);
    child.once('close', (status, signal) => resolve({ ...said, status, signal }));
  });
}

/** libsd counts and passes all calls on to the kernel. */
export const preloaded = { LD_PRELOAD: LIBSD };

/** The program takes libsd into itself when it has a connection, and, `detaching`, leaves it once that is on rings. */
export const attaching = (socket: string, detaching = false) => ({
  LD_PRELOAD: compiled('libsd/attacher', { flags: ['-shared', '-fPIC'], suffix: '.so' }),
  SOCKDOC_ATTACH: LIBSD,
  SOCKDOC_MONITOR: socket,
  ...(detaching ? { SOCKDOC_DETACH: '1' } : {}),
});

/** libsd upgrades connections as soon as it can, with the monitor of this socket. */
export const upgrading = (socket: string) => ({ ...preloaded, SOCKDOC_MONITOR: socket, SOCKDOC_AFTER_CALLS: '1' });
