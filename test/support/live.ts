import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { CheckDocument, Result } from '../../src/model/results.js';
import { startProgram, type Victim } from './victim.js';

export { poll } from './poll.js';
export type { Victim } from './victim.js';

/** The command under test; SOCKDOC_ENTRY names another, such as an installed package. */
const entry = process.env.SOCKDOC_ENTRY ?? fileURLToPath(new URL('../../bin/run.js', import.meta.url));

/** What `ctx.skip` of vitest needs to be: `test('…', async (ctx) => { requireRoot(ctx); … })`. */
interface Skipping {
  skip(reason: string): unknown;
}

export function requireRoot(ctx: Skipping): void {
  if (process.geteuid?.() !== 0) ctx.skip('needs root: makes network namespaces');
}

export function requireTool(ctx: Skipping, ...names: string[]): void {
  for (const name of names) {
    try {
      execFileSync('sh', ['-c', 'command -v "$0"', name], { stdio: 'ignore' });
    } catch {
      ctx.skip(`needs ${name}`);
    }
  }
}

export interface Checked {
  exitCode: number;
  document: CheckDocument;
  /** Results of one check. */
  of(id: string): Result[];
}

export interface CheckOptions {
  /** Run as this uid and gid, without capabilities. */
  as?: number;
  env?: Readonly<Record<string, string>>;
}

/** A network namespace of the test's own, with its loopback up. */
export interface Netns {
  name: string;
  /** Its inode number, as in `readlink /proc/PID/ns/net`. */
  id: string;
  /** Runs a command inside and gives what it printed; a failure is an error with its output. */
  run(file: string, ...args: (string | number)[]): Promise<string>;
  /** Starts a program of fixtures/programs inside; it is ended when the test is over. */
  start(program: string, ...args: (string | number)[]): Promise<Victim>;
  /** Reads, or sets, a sysctl of this namespace. */
  sysctl(key: string, value?: string | number): Promise<string>;
  /** The real command: `sockdoc check --json ARGS` inside. */
  check(args: readonly string[], options?: CheckOptions): Promise<Checked>;
  /** The results of one check over a window of a second. */
  only(id: string, ...args: string[]): Promise<Result[]>;
  /**
   * Another namespace, joined to this one by a veth pair: we are ADDRESS.1 ("10.99.0"), it is ADDRESS.2. The interface
   * is "veth" there and, unless named, here.
   */
  peer(address?: string, name?: string): Promise<Netns>;
}

let counter = 0;

/** Runs the body with a fresh namespace; whatever happens, its processes are ended and it is removed. */
export async function withNetns<T>(body: (ns: Netns) => Promise<T>): Promise<T> {
  const cleanups: (() => Promise<unknown>)[] = [];
  try {
    return await body(await makeNetns(cleanups));
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup().catch(() => {});
  }
}

async function makeNetns(cleanups: (() => Promise<unknown>)[]): Promise<Netns> {
  const name = `sd-${process.pid}-${counter++}`;
  await execa('ip', ['netns', 'add', name]);
  cleanups.push(() => execa('ip', ['netns', 'delete', name]));
  const prefix = ['ip', 'netns', 'exec', name] as const;
  const run = async (file: string, ...args: (string | number)[]) =>
    (await execa('ip', ['netns', 'exec', name, file, ...args.map(String)])).stdout;
  await run('ip', 'link', 'set', 'lo', 'up');
  return {
    name,
    id: (await run('readlink', '/proc/self/ns/net')).replace(/\D/g, ''),
    run,
    async start(program, ...args) {
      const victim = await startProgram(program, args, { prefix });
      cleanups.push(victim.stop);
      return victim;
    },
    async sysctl(key, value) {
      if (value !== undefined) await run('sysctl', '-qw', `${key}=${value}`);
      return (await run('sysctl', '-n', key)).replaceAll('\t', ' ');
    },
    check: (args, options) => runCheck(args, { ...options, prefix }),
    only: async (id, ...args) => (await runCheck(['--only', id, '--window', '1000', ...args], { prefix })).of(id),
    async peer(address = '10.99.0', link = 'veth') {
      const other = await makeNetns(cleanups);
      await run('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'veth', 'netns', other.name);
      for (const [ns, device, host] of [
        [name, link, 1],
        [other.name, 'veth', 2],
      ] as const) {
        await execa('ip', ['-n', ns, 'address', 'add', `${address}.${host}/24`, 'dev', device]);
        await execa('ip', ['-n', ns, 'link', 'set', device, 'up']);
      }
      return other;
    },
  };
}

/** `sockdoc check --json ARGS`. A document with an error, or none at all, is an error here. */
export async function runCheck(
  args: readonly string[],
  { as, env = {}, prefix = [] }: CheckOptions & { prefix?: readonly string[] } = {},
): Promise<Checked> {
  const user = as === undefined ? [] : ['setpriv', `--reuid=${as}`, `--regid=${as}`, '--clear-groups'];
  const [file, ...rest] = [...prefix, ...user, process.execPath, entry, 'check', '--json', ...args];
  const { exitCode, stdout, stderr } = await execa(file as string, rest, { env, reject: false });
  const fault = () => new Error(`sockdoc check ${args.join(' ')}: exit ${exitCode}\n${stdout}\n${stderr}`);
  let document: CheckDocument;
  try {
    document = JSON.parse(stdout);
  } catch {
    throw fault();
  }
  if (document.results === undefined || exitCode === undefined) throw fault();
  return { exitCode, document, of: (id) => document.results.filter((result) => result.id === id) };
}

/** Repeats the load until the run is over: whenever its window begins, there is load in it. */
export async function under<T>(load: () => Promise<unknown>, run: Promise<T>): Promise<T> {
  let over = false;
  const ended = run.finally(() => {
    over = true;
  });
  const loading = (async () => {
    while (!over) await Promise.all([load(), sleep(20)]);
  })();
  const [result] = await Promise.all([ended, loading]);
  return result;
}

/** The value of a row of evidence; NaN where there is none, which no comparison survives. */
export function evidence(result: Result | undefined, key: string, scope?: 'window' | 'total' | 'now'): number {
  const row = result?.evidence.find((e) => e.key === key && (scope === undefined || e.scope === scope));
  return typeof row?.value === 'number' ? row.value : Number.NaN;
}
