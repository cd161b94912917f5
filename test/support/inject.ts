import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Kept } from '../../src/model/migrate.js';
import { LIBSD } from './libsd.js';

/** Tests run a second time with an injector that watches its own memory (vitest.config.ts). */
const build = process.env.SOCKDOC_INJECT_BUILD ?? 'release';

export const INJECT = fileURLToPath(new URL(`../../build/${build}/sockdoc-inject`, import.meta.url));

/** Of many cases that differ in the program and in libsd: each twelfth, where only the injector is another one. */
export const cases = <T>(all: readonly T[]): T[] => all.filter((_, i) => build === 'release' || i % 12 === 1);

export interface Injected {
  pid: number;
  comm: string;
  state: 'attached' | 'detached' | 'ready' | 'refused';
  code?: string;
  reason?: string;
  next?: string;
  keptCount?: number;
  kept?: Kept[];
  stoppedMs?: number;
  allStoppedMs?: number;
  stops?: number[];
  sets?: { count?: number; own?: number; unclear?: string };
}

interface Options {
  args?: readonly string[];
  /** Put before the injector. */
  prefix?: readonly string[];
  program?: string;
}

const commandLine = (
  verb: 'attach' | 'detach',
  pid: number,
  { args = [], prefix = [], program = INJECT }: Options,
): [string, ...string[]] => {
  const library = verb === 'attach' ? ['--library', LIBSD] : [];
  return [...prefix, program, verb, String(pid), ...library, ...args] as [string, ...string[]];
};

/** What the injector says of one process. */
export function inject(verb: 'attach' | 'detach', pid: number, options: Options = {}): Injected {
  const [file, ...args] = commandLine(verb, pid, options);
  const { stdout, stderr, status } = spawnSync(file, args, {
    encoding: 'utf8',
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  if (status !== 0) throw new Error(`sockdoc-inject ended with ${status}: ${stderr}`);
  return JSON.parse(stdout).process;
}

/** An injector at work, what it says, and how it ends. */
export function injecting(
  pid: number,
  args: readonly string[],
  verb: 'attach' | 'detach' = 'attach',
  prefix: readonly string[] = [],
) {
  const [file, ...words] = commandLine(verb, pid, { args, prefix });
  const child = spawn(file, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const said = new Promise<Injected>((resolve, reject) =>
    child.once('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(text).process);
      else reject(new Error(`it ended with ${code ?? signal}`));
    }),
  );
  return { child, said };
}

/** An injector that ends at step `step` as by kill -9. True when it came so far. */
export function killedAt(step: number, verb: 'attach' | 'detach', pid: number): boolean {
  const [file, ...args] = commandLine(verb, pid, { args: ['--end-at', String(step)] });
  return spawnSync(file, args, { timeout: 60_000, killSignal: 'SIGTERM' }).signal === 'SIGKILL';
}

/**
 * Listens at `path` for programs that want to be attached to, or left (fixtures/programs/libsd/attacher.c): the injector refuses who started it.
 */
export function injectorAt(path: string, monitor: string): Server {
  const server = createServer((client) => {
    client.on('error', () => {});
    client.once('data', (line) => {
      const [verb, pid] = String(line).trim().split(' ') as ['attach' | 'detach', string];
      const args = verb === 'attach' ? ['--monitor', monitor, '--after-calls', '1'] : [];
      const [file, ...rest] = commandLine(verb, Number(pid), { args });
      execFile(file, rest, { timeout: 30_000 }, (error, stdout) => {
        const done = stdout.includes(`"state":"${verb}ed"`);
        client.end(done ? 'done' : stdout || String(error));
      });
    });
  });
  return server.listen(path);
}

/** A program that speaks line by line; ended with the test that started it. */
export class Speaker {
  private readonly child: ChildProcess;
  private text = '';
  private readonly ended: Promise<unknown>;

  constructor(command: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [file, ...args] = command as [string, ...string[]];
    this.child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH ?? '', LANG: 'C', ...env },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      this.text += part;
    });
    this.child.stdin?.on('error', () => {});
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** The next line; fails when the program ends before, or hangs. */
  async line(): Promise<string> {
    const until = performance.now() + 40_000;
    while (!this.text.includes('\n')) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`it ended: ${this.text}`);
      if (performance.now() > until) throw new Error('it hangs');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const at = this.text.indexOf('\n');
    const line = this.text.slice(0, at);
    this.text = this.text.slice(at + 1);
    return line;
  }

  ask(line: string): Promise<string> {
    this.child.stdin?.write(`${line}\n`);
    return this.line();
  }

  /** Tells it to finish, and gives all that it says until it has ended, and how it did. */
  async finish(line: string): Promise<string> {
    this.child.stdin?.end(`${line}\n`);
    const hangs = setTimeout(() => this.child.kill('SIGKILL'), 40_000);
    await this.ended;
    clearTimeout(hangs);
    return `${this.text}ended ${this.child.exitCode ?? this.child.signalCode}`;
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** What the injector says of several processes, which go one after the other. */
export async function injectAll(
  verb: 'attach' | 'detach',
  pids: readonly number[],
  args: readonly string[] = [],
): Promise<Injected[]> {
  const said: Injected[] = [];
  for (const pid of pids) {
    const [file, ...words] = commandLine(verb, pid, { args });
    const { stdout } = await promisify(execFile)(file, words, { timeout: 60_000, killSignal: 'SIGKILL' });
    said.push(JSON.parse(stdout).process);
  }
  return said;
}
