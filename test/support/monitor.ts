import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { monitorProgram } from '../../src/control/monitor/places.js';
import { type StartOptions, startProgram, type Victim } from './victim.js';

/** A daemon of the test's own. */
export interface Monitor {
  pid: number;
  socket: string;
  /** Sends a signal and waits for its end; the exit code, or null after SIGKILL. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

interface MonitorOptions {
  uid?: number;
  socket?: string;
  /** Put before the program; must exec, not fork. */
  prefix?: readonly string[];
}

export type Failure = { error: { code: number; message: string; next: string } };

/**
 * Without digits in its name, which programs get in their environment: a number there may be that of a socket, which libsd then
 * leaves to the programs that they execute.
 */
function madeOf(letters: readonly string[]): string {
  const folder = join(tmpdir(), `sockdoc-monitor-${letters.join('')}`);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/** A folder for sockets and policies that every user may enter, and everything that was started in it. */
export class MonitorBench {
  readonly folder = madeOf(Array.from({ length: 12 }, () => String.fromCharCode(97 + randomInt(26))));
  readonly socket = join(this.folder, 'monitor.sock');
  readonly program = join(this.folder, 'sockdoc-monitor');
  private readonly children: ChildProcess[] = [];
  private readonly clients: Victim[] = [];

  constructor() {
    chmodSync(this.folder, 0o755);
    // The repository may be where other users cannot go.
    copyFileSync(monitorProgram(), this.program);
    chmodSync(this.program, 0o755);
  }

  /** The daemon once it answers, or what it says when it cannot start. */
  async monitor(args: readonly string[] = [], { uid, socket = this.socket, prefix = [] }: MonitorOptions = {}) {
    const user = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
    const [file, ...rest] = [...prefix, ...user, this.program, '--socket', socket, '--ready-fd', '3', ...args];
    const child = spawn(file as string, rest, { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
    this.children.push(child);
    let text = '';
    for await (const part of child.stdio[3] as Readable) text += String(part);
    const said = JSON.parse(text) as { pid: number } | Failure;
    if ('error' in said) return said;
    const monitor: Monitor = {
      pid: said.pid,
      socket,
      end: (signal) =>
        new Promise((resolve) => {
          child.once('exit', (code) => resolve(code));
          child.kill(signal);
        }),
    };
    return monitor;
  }

  async running(args: readonly string[] = [], options: MonitorOptions = {}): Promise<Monitor> {
    const monitor = await this.monitor(args, options);
    if ('error' in monitor) throw new Error(monitor.error.message);
    return monitor;
  }

  /** A process that has said hello to the monitor. */
  async client(options: StartOptions & { silent?: boolean; args?: readonly string[] } = {}): Promise<Client> {
    const victim = await startProgram('monitor_client.cc', options.args ?? [this.socket], options);
    this.clients.push(victim);
    const client = new Client(victim);
    if (!options.silent) await client.ask('hello');
    return client;
  }

  policy(name: string): string {
    return join(this.folder, name);
  }

  folderFor(uid: number, mode: number): string {
    const path = join(this.folder, `of-${uid}-${mode.toString(8)}`);
    mkdirSync(path);
    chmodSync(path, mode);
    return path;
  }

  async remove(): Promise<void> {
    for (const client of this.clients) await client.stop();
    for (const child of this.children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Answer {
  outcome: 'shared' | 'waiting' | 'kernel';
  reason: string;
  slab: string;
  slot: number;
  end: number;
  generation: string;
  memory: number;
}

/** fixtures/programs/monitor_client.cc, asked line by line. */
export class Client {
  constructor(private readonly victim: Victim) {}

  get pid(): number {
    return this.victim.pid;
  }

  /** The line that comes back. */
  ask(line: string): Promise<string> {
    return this.victim.tell(line);
  }

  async answer(line: string): Promise<Answer> {
    const text = await this.ask(line);
    if (!text.startsWith('answer ')) throw new Error(`${line}: ${text}`);
    return JSON.parse(text.slice('answer '.length));
  }

  async number(line: string): Promise<number> {
    return Number((await this.ask(line)).split(' ')[1]);
  }

  kill(): Promise<void> {
    return this.victim.stop();
  }
}

/** A TCP connection from one client to the other: their descriptors. */
export async function connected(from: Client, to: Client): Promise<{ from: number; to: number }> {
  const port = await to.number('listen');
  const descriptor = await from.number(`connect ${port}`);
  return { from: descriptor, to: await to.number('accept') };
}

/** Both ends asked; what each was told in the end. */
export async function paired(from: Client, to: Client, ends: { from: number; to: number }): Promise<[Answer, Answer]> {
  await from.answer(`pair ${ends.from}`);
  const second = await to.answer(`pair ${ends.to}`);
  return [await from.answer('next'), second];
}
