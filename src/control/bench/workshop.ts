import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { internalError, notPossible } from '../../support/errors.js';
import { monitorProgram } from '../monitor/places.js';
import { benchProgram, sockdocCommand } from './places.js';

export interface StartOptions {
  /** Empty: on all. */
  cpus?: readonly number[];
  /** Under `sockdoc run`, with the benchmark's own monitor. */
  shm?: boolean;
  env?: Readonly<Record<string, string>>;
}

/** A program that was started here. */
export interface Started {
  child: ChildProcess;
  /** Its exit; the last words of its stderr. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>;
}

/**
 * A folder, a monitor, and everything that was started for a benchmark. `close` ends all of it and leaves nothing; so does
 * our own end, whatever it is: each program is killed with us, and the folder is removed unless we are killed by SIGKILL.
 */
export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'sockdoc-bench-'));
  private readonly running = new Set<Started>();
  private monitorSocket: Promise<string> | undefined;
  private closed = false;
  private paths = 0;
  private readonly atExit = () => this.kill();

  constructor() {
    process.on('exit', this.atExit);
    if (!existsSync(benchProgram()))
      throw internalError(`the benchmark's program is missing (${benchProgram()}): run npm run build`);
  }

  /** Starts a command with pipes for stdin, stdout and stderr. */
  async start(command: readonly string[], { cpus = [], shm = false, env = {} }: StartOptions = {}): Promise<Started> {
    const place = cpus.length === 0 ? 'any' : [...new Set(cpus)].join(',');
    const run = shm ? [...sockdocCommand(), 'run', '--transport', 'shm', '--socket', await this.monitor(), '--'] : [];
    return this.spawned(['with', place, ...run, ...command], shm, env);
  }

  /** A path in the folder that nothing has yet. */
  path(name: string): string {
    return join(this.folder, `${name}-${this.paths++}`);
  }

  /** The socket of a monitor that nobody else uses. */
  monitor(): Promise<string> {
    this.monitorSocket ??= this.startMonitor();
    return this.monitorSocket;
  }

  /** Ends one of them and waits for that. */
  async end(started: Started): Promise<void> {
    killGroup(started.child, 'SIGTERM');
    const impatient = setTimeout(() => killGroup(started.child, 'SIGKILL'), 3000);
    await started.ended;
    clearTimeout(impatient);
    killGroup(started.child, 'SIGKILL'); // what it started and did not end
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.running].map((started) => this.end(started)));
    rmSync(this.folder, { recursive: true, force: true });
    process.off('exit', this.atExit);
  }

  private kill(): void {
    for (const { child } of this.running) killGroup(child, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private spawned(
    args: readonly string[],
    shm: boolean,
    env: Readonly<Record<string, string>>,
    ready = false,
  ): Started {
    if (this.closed) throw notPossible('the benchmark was ended');
    const child = spawn(benchProgram(), args, {
      cwd: this.folder,
      env: { ...environment(shm), ...env },
      stdio: ['pipe', 'pipe', 'pipe', ...(ready ? (['pipe'] as const) : [])],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-2000);
    });
    child.stdin?.on('error', () => {}); // it has ended: `ended` says so
    const started: Started = {
      child,
      ended: new Promise((resolve) => {
        child.once('error', (error) => resolve({ code: null, signal: null, stderr: error.message }));
        child.once('close', (code, signal) => resolve({ code, signal, stderr: stderr.trim() }));
      }),
    };
    this.running.add(started);
    void started.ended.then(() => this.running.delete(started));
    return started;
  }

  private async startMonitor(): Promise<string> {
    const socket = join(this.folder, 'monitor.sock');
    const args = ['with', 'any', monitorProgram(), '--socket', socket, '--ready-fd', '3'];
    const started = this.spawned(args, false, {}, true);
    let said = '';
    for await (const part of started.child.stdio[3] as Readable) said += String(part);
    if (said !== '' && 'pid' in JSON.parse(said)) return socket;
    throw notPossible(`the benchmark's monitor did not start: ${said || (await started.ended).stderr}`);
  }
}

/** `sockdoc-bench with` makes it a group; until then it is one process. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal); // or none of it runs any more
  }
}

/** What is measured on the kernel must not have libsd, whoever runs us. */
function environment(shm: boolean): NodeJS.ProcessEnv {
  const { LD_PRELOAD = '', SOCKDOC_DISABLE: _disabled, SOCKDOC_MONITOR: _other, ...rest } = process.env;
  const others = LD_PRELOAD.split(/[ :]+/).filter((library) => library !== '' && !library.includes('/libsd'));
  const kept = Object.entries(rest).filter(([name]) => shm || !name.startsWith('SOCKDOC_'));
  return { ...Object.fromEntries(kept), ...(others.length > 0 ? { LD_PRELOAD: others.join(':') } : {}) };
}
