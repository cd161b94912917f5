import type { Gap } from '../../model/gap.js';
import type { SchedulerView } from '../../model/views/scheduler.js';
import { addon } from './addon.js';

export interface SchedulerRequest {
  /** Threads of these processes only; left out: of all. */
  pids?: number[];
  /** Processes that hold internet sockets: their threads come first and get a histogram each. */
  socketPids: number[];
  /** sockdoc's own processes: their threads are left out unless asked for in `pids`. */
  selfPids: number[];
  /** Threads in the answer, at most 4096. Default 100. */
  limit?: number;
}

export interface SchedulerAnswer {
  /** From the reading before to this one; 0 at the first, which has neither rates nor histograms. */
  windowMs: number;
  scheduler: SchedulerView;
  gaps: Gap[];
}

interface NativeSchedulerProbe {
  start(): Promise<string>;
  read(request: SchedulerRequest): Promise<string>;
  stop(): Promise<string>;
}

/** What the addon exports of it. */
interface Part {
  SchedulerProbe: new () => NativeSchedulerProbe;
}

/**
 * What the scheduler does, from one reading to the next. With start() BPF programs at the scheduler's tracepoints give
 * histograms; where they are not to be had, each answer has a gap that says why, and `source` is "procfs". Needs CAP_BPF
 * and CAP_PERFMON, or CAP_SYS_ADMIN, and Linux 5.11 with BTF. Calls wait for each other.
 */
export class SchedulerProbe {
  readonly #native = new (addon<Part>().SchedulerProbe)();

  /** Attaches the programs. They cost some 0.3 µs per context switch of the host while they are there. */
  async start(): Promise<void> {
    await this.#native.start();
  }

  async read(request: SchedulerRequest): Promise<SchedulerAnswer> {
    return JSON.parse(await this.#native.read(request)) as SchedulerAnswer;
  }

  /** Detaches them. Nothing is left behind in the kernel, not even when the process dies instead. */
  async stop(): Promise<void> {
    await this.#native.stop();
  }
}
