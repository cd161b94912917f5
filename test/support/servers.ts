import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { monitorStatus } from '../../src/services/monitor/status.js';
import { LIBSD, type Outcome, outcomeOf, upgrading } from './libsd.js';
import { MonitorBench } from './monitor.js';
import { poll } from './poll.js';
import { parseSs } from './ss.js';

/** One end of a connection: what carries it, as the monitor has it, and how many bytes the kernel ever carried. */
export interface End {
  local: string;
  remote: string;
  /** `unknown`: its process has not asked the monitor. */
  transport: 'kernel' | 'shm' | 'unknown';
  reason: string;
  kernelSent: number;
}

export interface StartOptions {
  /** User and group, where it is not ours. */
  uid?: number;
  env?: Readonly<Record<string, string>>;
  /** Without libsd. */
  plain?: boolean;
}

export interface LoadOptions extends StartOptions {
  enough?: (ends: readonly End[]) => boolean;
  /** Awaited before each run. */
  ready?: () => Promise<unknown>;
}

const MOST_RUNS = 10;

/** Both ends of some connection go by shared memory. */
export const byMemory = (ends: readonly End[]) =>
  ends.some(
    (one) => one.transport === 'shm' && ends.some((other) => other.transport === 'shm' && other.local === one.remote),
  );

/** Real servers and their clients under libsd, with a monitor of their own; all of them end with it. */
export class ServerBench {
  private readonly monitors = new MonitorBench();
  /** Every user may read here. */
  readonly folder = this.monitors.folder;
  private readonly libsd = join(this.folder, 'libsd.so');
  private readonly started: Started[] = [];
  private readonly daemons: number[] = [];

  /** With its monitor. */
  static async begin(): Promise<ServerBench> {
    const bench = new ServerBench();
    // The repository may be where other users cannot go.
    copyFileSync(LIBSD, bench.libsd);
    chmodSync(bench.libsd, 0o755);
    await bench.monitors.running();
    return bench;
  }

  /** Ends what was started, the last first. */
  async end(): Promise<void> {
    for (const one of this.started.reverse()) await one.stop();
    for (const pid of this.daemons) await endProcess(pid);
    await this.monitors.remove();
  }

  /** The monitor's. */
  get socket(): string {
    return this.monitors.socket;
  }

  environment({ env = {}, plain = false }: StartOptions = {}): Record<string, string> {
    return {
      ...(plain ? {} : { ...upgrading(this.monitors.socket), LD_PRELOAD: this.libsd }),
      HOME: this.folder,
      ...env,
    };
  }

  start(command: readonly string[], options: StartOptions = {}): Started {
    const one = new Started(asUser(command, options.uid), this.environment(options), this.folder);
    this.started.push(one);
    return one;
  }

  /** A server, once it accepts at the port. */
  async server(port: number, command: readonly string[], options: StartOptions = {}): Promise<Started> {
    const one = this.start(command, options);
    await poll(`${command[0]} listens`, () => one.running() && accepts(port));
    return one;
  }

  /** A process of a server that went into the background, to be ended with the others. */
  adopt(pid: number): number {
    this.daemons.push(pid);
    return pid;
  }

  /** How a client ended and what it wrote. */
  run(command: readonly string[], options: StartOptions = {}): Promise<Outcome> {
    return outcomeOf(asUser(command, options.uid), this.environment(options), 50, this.folder);
  }

  /** The same of one that must succeed: what it wrote. */
  async output(command: readonly string[], options: StartOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.run(command, options);
    if (status !== 0) throw new Error(`${command.join(' ')}: ${status} ${stderr} ${stdout}`);
    return stdout;
  }

  /**
   * A client that is run again until `enough` of what was seen of connections with this port: how each run ended, and all
   * ends, as they were known last. A quick client on a busy machine may be gone before anybody looks.
   */
  async load(port: number, command: readonly string[], options: LoadOptions = {}) {
    const { enough = byMemory, ready } = options;
    const seen = new Map<string, End>();
    const runs: Outcome[] = [];
    while (runs.length < MOST_RUNS && (runs.length === 0 || !enough([...seen.values()]))) {
      await ready?.();
      let over = false;
      const running = this.run(command, options).finally(() => {
        over = true;
      });
      while (!over) {
        for (const end of await this.ends(port)) {
          const name = `${end.local} ${end.remote}`;
          if (end.transport !== 'unknown' || !seen.has(name)) seen.set(name, end);
        }
        await sleep(10);
      }
      runs.push(await running);
    }
    return { runs, ends: [...seen.values()] };
  }

  /** All ends of established connections with this port on either side, as ss and the monitor have them now. */
  async ends(port: number): Promise<End[]> {
    const status = await monitorStatus(this.monitors.socket);
    const { stdout } = await execa('ss', ['-Htnei', `( sport = :${port} or dport = :${port} )`]);
    const known = new Map((status.ends ?? []).map((end) => [end.cookie, end]));
    const rows = parseSs(stdout).filter(({ state }) => state === 'established');
    return rows.map(({ local, remote, cookie, info }) => {
      const { transport = 'unknown', reason = '' } = known.get(cookie) ?? {};
      const kernelSent = Number(info.bytes_sent ?? 0);
      return { local: plainly(local), remote: plainly(remote), transport, reason, kernelSent } as const;
    });
  }

  /** Until both ends of every connection with this port go by shared memory; `meanwhile` makes them used. */
  async upgraded(port: number, meanwhile: () => unknown = () => {}): Promise<void> {
    let last: End[] = [];
    await poll('both ends by shared memory', async () => {
      await meanwhile();
      last = await this.ends(port);
      return last.length >= 2 && last.every(({ transport }) => transport === 'shm');
    }).catch((error: unknown) => {
      throw new Error(`${error}: ${JSON.stringify(last)}`);
    });
  }
}

/** A process that runs; what it writes is kept. */
export class Started {
  private readonly child: ChildProcess;
  private text = '';
  private heard = 0;
  private readonly gone: Promise<unknown>;

  constructor(
    private readonly command: readonly string[],
    env: Readonly<Record<string, string>>,
    cwd: string,
  ) {
    const [file, ...args] = command as [string, ...string[]];
    const base = { PATH: `${process.env.PATH}:/usr/sbin`, LANG: 'C' };
    this.child = spawn(file, args, { env: { ...base, ...env }, cwd, stdio: 'pipe' });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (part: string) => {
        this.text += part;
      });
    }
    this.child.stdin?.on('error', () => {}); // it may be gone already
    this.gone = once(this.child, 'close');
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** All that it wrote. */
  get said(): string {
    return this.text;
  }

  get status(): number | null {
    return this.child.exitCode;
  }

  /** True; an error once it has ended. */
  running(): true {
    if (this.child.exitCode === null && this.child.signalCode === null) return true;
    const { exitCode, signalCode } = this.child;
    throw new Error(`${this.command.join(' ')} ended: ${exitCode ?? signalCode} ${this.text}`);
  }

  /** Writes the text, and gives what it said since the last time up to `until`. */
  say(text: string, until: RegExp): Promise<string> {
    this.child.stdin?.write(text);
    return poll(
      `${this.command[0]} says ${until}`,
      () => {
        const now = this.text.slice(this.heard);
        const found = until.exec(now);
        if (!found) return this.running() && undefined;
        const end = found.index + found[0].length;
        this.heard += end;
        return { heard: now.slice(0, end) };
      },
      { everyMs: 5 },
    ).then(({ heard }) => heard);
  }

  /** Writes the text: what it says to it may come any time. */
  write(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Closes its input and waits until it has ended: its status. */
  async over(): Promise<number | null> {
    this.child.stdin?.end();
    await this.gone;
    return this.child.exitCode;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGTERM');
    const patience = sleep(5000, 'late', { ref: false });
    if ((await Promise.race([this.gone, patience])) === 'late') this.child.kill('SIGKILL');
    await this.gone;
  }
}

/** Of a socket for both families, as that of the other end is written. */
const plainly = (address: string) => address.replace(/^\[::ffff:(.*)\]/, '$1');

/** A connection that is accepted, and closed at once. */
export const accepts = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('connect', () => socket.destroy()).on('error', () => resolve(false));
  });

/** Whether the process has libsd in it, from its file or as the injector brings it. */
export const hasIt = (pid: number) => /\blibsd\b/.test(readFileSync(`/proc/${pid}/maps`, 'utf8'));

/** The process and its descendants. */
export function family(pid: number): number[] {
  const children = unlessGone(() => readdirSync(`/proc/${pid}/task`)).flatMap((task) =>
    unlessGone(() => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(/\s+/)),
  );
  return [pid, ...children.filter(Boolean).map(Number).flatMap(family)];
}

/** Nothing of a process or thread that has ended meanwhile. */
function unlessGone(read: () => string[]): string[] {
  try {
    return read();
  } catch {
    return [];
  }
}

const asUser = (command: readonly string[], uid: number | undefined) =>
  uid === undefined ? command : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...command];

async function endProcess(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    return; // gone already
  }
  await poll(`process ${pid} ends`, () => !existsSync(`/proc/${pid}`));
}
