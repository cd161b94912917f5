import type { Gap } from '../../model/gap.js';
import type { Process } from '../../model/snapshot/index.js';
import type { SchedulerView } from '../../model/views/scheduler.js';
import { SchedulerProbe } from '../../probes/native.js';

export interface SchedulerWanted {
  /** Of the socket probe: those with internet sockets serve. */
  processes: readonly Pick<Process, 'pid' | 'tcp' | 'udp'>[];
  /** Threads of these processes only; undefined: of all. */
  pids: readonly number[] | undefined;
  /** Rows of threads, at most 4096. */
  limit: number;
}

export interface SchedulerReading {
  /** Since the reading before; 0 at the first, which has no rates. */
  windowMs: number;
  scheduler: SchedulerView;
  gaps: Gap[];
}

/**
 * What the scheduler does, reading after reading. The programs in the kernel run from the first reading to close(): while
 * they do, each context switch of the host costs some 0.3 µs more.
 */
export class SchedulerReader {
  #probe: SchedulerProbe | undefined;

  async read({ processes, pids, limit }: SchedulerWanted): Promise<SchedulerReading> {
    if (!this.#probe) {
      this.#probe = new SchedulerProbe();
      await this.#probe.start();
    }
    return this.#probe.read({
      socketPids: processes.filter(servesSockets).map(({ pid }) => pid),
      ...(pids ? { pids: [...pids] } : {}),
      selfPids: [process.pid],
      limit,
    });
  }

  /** A reading under way ends first. */
  async close(): Promise<void> {
    const probe = this.#probe;
    this.#probe = undefined;
    await probe?.stop();
  }
}

const servesSockets = ({ tcp, udp }: SchedulerWanted['processes'][number]): boolean =>
  udp > 0 || Object.values(tcp).some((count) => count > 0);
