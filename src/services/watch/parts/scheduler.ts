import type { SchedulerView } from '../../../model/views/scheduler.js';
import { SchedulerProbe } from '../../../probes/native.js';
import type { GapList } from '../../diagnose/collecting/gaps.js';
import { type Scoped, someOf } from '../scope.js';

/** Rows of threads: those that serve sockets first, then by run-queue delay. */
const THREADS = 200;

/** What the scheduler does. The programs that watch it are detached by close(). */
export class SchedulerPart {
  #probe: SchedulerProbe | undefined;
  #isClosed = false;

  /** `socketPids`, of the processes that hold internet sockets, are looked at when they are known. */
  async read(scope: Scoped, socketPids: Promise<readonly number[]>, gaps: GapList): Promise<SchedulerView | undefined> {
    return gaps.attempt('scheduler', async () => {
      const probe = this.#probe ?? (await this.#begin());
      const answer = await probe.read({
        ...(scope.pids ? { pids: someOf(scope.pids) } : {}),
        socketPids: [...(await socketPids)],
        selfPids: [process.pid],
        limit: THREADS,
      });
      gaps.add(...answer.gaps);
      return answer.scheduler;
    });
  }

  close(): void {
    this.#isClosed = true;
    void this.#probe?.stop();
  }

  async #begin(): Promise<SchedulerProbe> {
    this.#probe = new SchedulerProbe();
    await this.#probe.start();
    if (this.#isClosed) await this.#probe.stop();
    return this.#probe;
  }
}
