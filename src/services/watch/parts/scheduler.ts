import type { Process } from '../../../model/snapshot/index.js';
import type { SchedulerView } from '../../../model/views/scheduler.js';
import type { GapList } from '../../diagnose/collecting/gaps.js';
import { SchedulerReader } from '../../views/scheduler.js';
import { type SocketShare, SocketShareReader, type SocketShareReading } from '../../views/socket-share.js';
import { type Scoped, someOf } from '../scope.js';

/** Rows of threads: those that serve sockets first, then by run-queue delay. */
const THREADS = 200;

/** What the scheduler did, and where the processes were that ran. */
export interface SchedulerPartReading {
  scheduler?: SchedulerView;
  shares: ReadonlyMap<number, SocketShare>;
}

/** The two probes that watch the host from within the kernel, until close(). */
export class SchedulerPart {
  readonly #scheduler = new SchedulerReader();
  readonly #shares = new SocketShareReader();
  #begun: Promise<unknown> | undefined;
  #isClosed = false;

  /** `holders`, the processes that hold sockets, are looked at when they are known. */
  async read(scope: Scoped, holders: Promise<readonly Process[]>, gaps: GapList): Promise<SchedulerPartReading> {
    const processes = await holders;
    if (this.#isClosed) return { shares: new Map() };
    const pids = scope.pids && someOf(scope.pids);
    const [scheduler, shares] = await Promise.all([
      gaps.attempt('scheduler', () => this.#scheduler.read({ processes, pids, limit: THREADS })),
      gaps.attempt('socket share', () => this.#read(processes)),
    ]);
    gaps.add(...(scheduler?.gaps ?? []), ...(shares?.gaps ?? []));
    return { ...(scheduler ? { scheduler: scheduler.scheduler } : {}), shares: shares?.shares ?? new Map() };
  }

  /** The first reading, which takes longest and has no shares, is not waited for: the first frame is to come at once. */
  async #read(processes: readonly Process[]): Promise<SocketShareReading | undefined> {
    if (this.#begun === undefined) {
      this.#begun = this.#shares.read([]);
      this.#begun.catch(() => {}); // the next reading meets it too
      return undefined;
    }
    await this.#begun;
    return this.#shares.read(processes.map(({ pid }) => pid));
  }

  /** A reading under way ends first; after it nothing is left in the kernel. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled([this.#scheduler.close(), this.#shares.close()]);
  }
}
