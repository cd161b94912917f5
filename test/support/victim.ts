import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { poll } from './poll.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A program of fixtures/programs that runs. It prints `ready` or `ready {json}` when its condition is set up. */
export interface Victim {
  pid: number;
  /** What stood behind `ready`. */
  // biome-ignore lint/suspicious/noExplicitAny: each program says what it prints
  ready: any;
  /** Writes one line to its standard input and waits for the line of its output that begins with `answer`. */
  ask(line: string, answer: string): Promise<string>;
  /** Writes one line to its standard input and waits for the next line of its output. */
  tell(line: string): Promise<string>;
  /** Ends it, by pid, also when it was stopped, and waits until it is gone. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Put before the program: `['ip', 'netns', 'exec', NAME]`. Must exec, not fork: the pid is the program's. */
  prefix?: readonly string[];
  env?: Readonly<Record<string, string>>;
}

/** Starts fixtures/programs/NAME (`x.py`, or `x.c` or `x.cc`, which is compiled) and waits until it is ready. */
export async function startProgram(
  name: string,
  args: readonly (string | number)[] = [],
  { prefix = [], env = {} }: StartOptions = {},
): Promise<Victim> {
  const [file, ...rest] = [...prefix, ...commandOf(name), ...args.map(String)] as [string, ...string[]];
  const child = spawn(file, rest, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const { lines, errors } = collect(child);
  const stop = () => end(child);
  const dead = () => child.exitCode !== null || child.signalCode !== null;
  const line = (begin: string, from: number) =>
    poll(`${name} says "${begin}"`, () => {
      const found = lines.slice(from).find((text) => text === begin || text.startsWith(`${begin} `));
      if (found === undefined && dead()) throw new Error(`${name} ended before "${begin}": ${errors.join('')}`);
      return found;
    });
  try {
    const ready = (await line('ready', 0)).slice('ready '.length);
    return {
      pid: child.pid as number,
      ready: ready === '' ? undefined : JSON.parse(ready),
      ask(text, answer) {
        const from = lines.length;
        child.stdin?.write(`${text}\n`);
        return line(answer, from);
      },
      tell(text) {
        const from = lines.length;
        child.stdin?.write(`${text}\n`);
        return poll(
          `${name} answers "${text}"`,
          () => {
            if (lines[from] === undefined && dead()) throw new Error(`${name} ended at "${text}": ${errors.join('')}`);
            return lines[from];
          },
          { everyMs: 5 },
        );
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function collect(child: ChildProcess) {
  const lines: string[] = [];
  const errors: string[] = [];
  if (child.stdout) createInterface({ input: child.stdout }).on('line', (text) => lines.push(text));
  child.stderr?.on('data', (chunk) => errors.push(String(chunk)));
  child.stdin?.on('error', () => {}); // it may be gone already
  child.on('error', (error) => errors.push(error.message));
  return { lines, errors };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

function commandOf(name: string): string[] {
  const source = `${root}fixtures/programs/${name}`;
  if (name.endsWith('.py')) return [existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3', '-u', source];
  return [compiled(source, name.replace(/\.cc?$/, ''))];
}

/** Programs in C++ speak by our own structures and rings. */
function compilerOf(source: string): string[] {
  const flags = ['-O1', '-g', '-Wall', '-Wextra', '-pthread'];
  if (source.endsWith('.c')) return ['cc', ...flags];
  const parts = ['ring', 'transport'].flatMap((part) =>
    readdirSync(`${root}native/${part}`)
      .filter((file) => file.endsWith('.cc'))
      .map((file) => `${root}native/${part}/${file}`),
  );
  return ['g++', '-std=c++20', ...flags, `-I${root}native`, ...parts];
}

/** Of the source and of what of native/ comes into it. */
function newest(source: string): number {
  const parts = source.endsWith('.cc') ? ['abi', 'base', 'ring', 'transport'] : [];
  const files = parts.flatMap((part) =>
    readdirSync(`${root}native/${part}`).map((file) => `${root}native/${part}/${file}`),
  );
  return Math.max(...[source, ...files].map((file) => statSync(file).mtimeMs));
}

/** Compiles when the source is newer; renamed into place, since another run may do the same. */
function compiled(source: string, name: string): string {
  const folder = `${root}build/programs`;
  const target = `${folder}/${name}`;
  if (!existsSync(target) || statSync(target).mtimeMs < newest(source)) {
    mkdirSync(dirname(target), { recursive: true });
    const fresh = `${target}.${process.pid}`;
    const [compiler, ...flags] = compilerOf(source) as [string, ...string[]];
    execFileSync(compiler, [...flags, '-o', fresh, source]);
    renameSync(fresh, target);
  }
  return target;
}
