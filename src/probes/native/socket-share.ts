import type { Gap } from '../../model/gap.js';
import { addon } from './addon.js';

/** Samples of one process; those in interrupts count nowhere. */
export interface SocketShareSamples {
  pid: number;
  samples: number;
  /** Of `samples`: in the kernel. */
  kernel: number;
  /** Of `kernel`: in a system call of sockets, a read or write of one, or epoll. */
  socket: number;
  /** Of `socket`: not about bytes, but about sockets themselves and their places in epoll sets. */
  upkeep: number;
  /** Of `samples`: of threads that had none in `socket`. */
  aside: number;
}

export interface SocketShareAnswer {
  /** Since the call before, or start(); absent, as the processes, where nothing is sampled. */
  windowMs?: number;
  /** Those that were asked for and had samples. */
  processes?: SocketShareSamples[];
  gaps: Gap[];
}

interface NativeSocketShareProbe {
  start(request: { hertz: number }): Promise<string>;
  read(request: { pids: number[] }): Promise<string>;
  stop(): Promise<string>;
}

/** What the addon exports of it. */
interface Part {
  SocketShareProbe: new () => NativeSocketShareProbe;
}

/** Samples per second of each busy CPU. Primes: not in step with what happens a round number of times per second. */
export const SAMPLES = {
  /** Costs nothing that could be measured, for hours. */
  seldom: 199,
  /** For seconds: shares of one second are known to a thirtieth. */
  often: 997,
} as const;

/**
 * How much of their CPU time processes spend in the kernel's socket path, by samples of each busy CPU. A
 * share of p from n samples is off by less than 2·√(p(1−p)/n) in 19 of 20 cases. Needs CAP_PERFMON and CAP_SYSLOG, or
 * CAP_SYS_ADMIN; without them each answer has a gap that says so.
 */
export class SocketShareProbe {
  readonly #native = new (addon<Part>().SocketShareProbe)();

  /** Begins to sample; costs about 50 ms of CPU time once per process. */
  async start(hertz: number = SAMPLES.seldom): Promise<void> {
    await this.#native.start({ hertz });
  }

  async read(pids: number[]): Promise<SocketShareAnswer> {
    return JSON.parse(await this.#native.read({ pids })) as SocketShareAnswer;
  }

  /** Ends the sampling. Nothing is left behind in the kernel, not even when the process dies instead. */
  async stop(): Promise<void> {
    await this.#native.stop();
  }
}
