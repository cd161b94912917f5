import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Process } from '../../model/snapshot/index.js';
import type { SchedulerDocument } from '../../model/views/scheduler.js';
import { SocketProbe } from '../../probes/native.js';
import { notPossible } from '../../support/errors.js';
import { packageVersion } from '../../support/version.js';
import { GapList } from '../diagnose/collecting/gaps.js';
import { chooseNamespaces, type Namespaces } from '../diagnose/collecting/namespaces.js';
import { select } from '../diagnose/collecting/selection.js';
import type { Target } from '../diagnose/options.js';
import { SchedulerReader, type SchedulerReading } from '../views/scheduler.js';

/** What the probe gives at most. */
const MOST_THREADS = 4096;

export interface SchedOptions {
  target: Target;
  /** Milliseconds between the first two readings; 0 reads once. */
  windowMs: number;
  /** Threads at most. */
  limit?: number;
}

/** The scheduler's doing, reading after reading: each is about the time since the one before it. */
export class SchedView {
  readonly #sockets = new SocketProbe();
  readonly #scheduler = new SchedulerReader();
  #began = false;

  constructor(private readonly options: SchedOptions) {}

  async read(signal: AbortSignal): Promise<SchedulerDocument> {
    const { windowMs } = this.options;
    if (!this.#began && windowMs > 0) {
      await this.#take(new GapList());
      await pause(windowMs, signal);
    }
    this.#began = true;
    const gaps = new GapList();
    const takenAt = new Date().toISOString();
    const { windowMs: measured, scheduler } = await this.#take(gaps);
    return {
      schemaVersion: 1,
      command: 'sched',
      version: packageVersion(),
      takenAt,
      windowMs: Math.round(measured),
      scheduler,
      gaps: gaps.all(),
    };
  }

  /** Detaches what was attached to the kernel. */
  async close(): Promise<void> {
    this.#sockets.close();
    await this.#scheduler.close();
  }

  async #take(gaps: GapList): Promise<SchedulerReading> {
    const { target, limit = MOST_THREADS } = this.options;
    const selected = await selectedPids(target);
    const namespaces = await chooseNamespaces(target.netns ?? 'all', undefined);
    const processes = await this.#holders(namespaces, gaps);
    const pids = target.netns === undefined || target.netns === 'all' ? selected : inside(namespaces, processes);
    const reading = await this.#scheduler.read({ processes, pids, limit });
    gaps.add(...reading.gaps);
    return reading;
  }

  /** Processes with the sockets that they hold; those of namespaces that may not be entered count as having none. */
  async #holders({ namespaces, gaps: closed }: Namespaces, gaps: GapList): Promise<readonly Process[]> {
    for (const gap of closed) gaps.add({ ...gap, what: `which threads serve sockets in ${gap.what}` });
    const netns = namespaces.map(({ path }) => path);
    const answer = await gaps.attempt('sockets', () =>
      this.#sockets.read({ netns, selfPids: [process.pid], rows: false }),
    );
    return answer?.host.processes ?? [];
  }
}

/** Unlike their sockets, what threads do is for everybody to read: a process only has to be there. */
async function selectedPids(target: Target): Promise<readonly number[] | undefined> {
  for (const pid of target.pids) {
    if (!existsSync(`/proc/${pid}`))
      throw notPossible(`there is no process ${pid}`, { next: 'List processes with: ps -e' });
  }
  return target.pids.length > 0 ? target.pids : (await select(target)).pids;
}

function inside({ namespaces }: Namespaces, processes: readonly Process[]): number[] {
  const ids = new Set(namespaces.map(({ id }) => id));
  return processes.filter(({ netns }) => netns !== undefined && ids.has(netns)).map(({ pid }) => pid);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}
