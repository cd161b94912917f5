import type { Gap } from '../../model/gap.js';
import type { Process, SelectSample, SocketDigest, Thread } from '../../model/snapshot/index.js';
import { addon } from './addon.js';

export interface SocketsRequest {
  /** Network namespaces to read: "/run/netns/NAME", "/proc/PID/ns/net", or "" for our own. */
  netns: string[];
  /** Every connection of these processes is a row, and they are reported even without sockets. */
  pids?: number[];
  /** sockdoc's own processes: their connections are never picked. */
  selfPids: number[];
  /**
   * False at a reading that only begins a window: no connection rows, and nothing of what is expensive and does not
   * move (epoll sets, CLOEXEC, socket options). Default true.
   */
  rows?: boolean;
  /** From now until the next reading, sample which threads sit in select(). Default false. */
  sampleSelect?: boolean;
}

export interface SocketsAnswer {
  /** CLOCK_MONOTONIC when the reading began. */
  monotonicMs: number;
  /**
   * In the order of the request; without `sockets` where the namespace could not be read (a gap says why), and where it
   * is the same as an earlier one.
   */
  netns: { path: string; id?: string; sockets?: SocketDigest }[];
  host: {
    processes: Process[];
    threads: Thread[];
    /** Watches counted per uid, from the epoll sets that were read; absent without rows. */
    epollWatches?: Record<string, number>;
  };
  /** `selects` after a reading that asked for sampling. */
  observed: { selects?: SelectSample[] };
  gaps: Gap[];
}

interface NativeSocketProbe {
  read(request: SocketsRequest): Promise<string>;
  close(): void;
}

/** What the addon exports of it. */
interface Part {
  SocketProbe: new () => NativeSocketProbe;
}

/**
 * Sockets joined with the processes that hold them. Each reading is compared with the one before it (by socket
 * cookie): the first has no `window` numbers. Readings of one probe run one after the other.
 */
export class SocketProbe {
  readonly #native = new (addon<Part>().SocketProbe)();

  async read(request: SocketsRequest): Promise<SocketsAnswer> {
    return JSON.parse(await this.#native.read(request)) as SocketsAnswer;
  }

  /** Ends the sampling of select(), where it runs. Dropping the probe does it too, but later. */
  close(): void {
    this.#native.close();
  }
}
