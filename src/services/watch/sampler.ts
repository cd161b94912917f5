import { hostname } from 'node:os';
import type { Frame } from '../../model/views/frame.js';
import type { ProcessRow } from '../../model/views/processes.js';
import type { FrameRequest } from '../../model/views/request.js';
import type { ShortLived } from '../../model/views/short-lived.js';
import { present } from '../../probes/link-sysfs.js';
import { packageVersion } from '../../support/version.js';
import { GapList } from '../diagnose/collecting/gaps.js';
import { nativeOrError } from '../diagnose/collecting/native.js';
import type { Target } from '../diagnose/options.js';
import type { SocketShare } from '../views/socket-share.js';
import { Cost } from './cost.js';
import { EndedPart } from './parts/ended.js';
import { NicPart } from './parts/nics.js';
import { SchedulerPart } from './parts/scheduler.js';
import { SocketPart } from './parts/sockets.js';
import { Scope } from './scope.js';

/**
 * One frame after the other from all probes. Each part reads on its own and what it cannot read is a gap: none takes
 * another with it. Kept between two readings is the reading before, and nothing older.
 */
export class Sampler {
  readonly #scope: Scope;
  readonly #cost = new Cost();
  readonly #sockets = new SocketPart();
  readonly #ended = new EndedPart();
  readonly #scheduler = new SchedulerPart();
  readonly #nics = new NicPart();
  #last: { frame: Frame; beganMs: number } | undefined;
  #reading: Promise<unknown> = Promise.resolve();

  /** Fails with a SockdocError where the target names what is not there or may not be read. */
  static async open(target: Target): Promise<Sampler> {
    nativeOrError();
    return new Sampler(await Scope.of(target));
  }

  private constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Reads everything anew. Readings never overlap: a call waits for the one before. */
  read(request: Readonly<FrameRequest>): Promise<Frame> {
    return this.#queued(() => this.#read(request));
  }

  /** The reading that is there with other rows of connections; undefined before the first. */
  select(request: Readonly<FrameRequest>): Promise<Frame | undefined> {
    return this.#queued(() => this.#select(request));
  }

  /**
   * Ends what samples between readings; nothing is left behind in the kernel. A reading under way is not waited for: what
   * it may still begin is ended after it.
   */
  close(): void {
    const end = () => {
      this.#ended.close();
      void this.#scheduler.close();
    };
    end();
    void this.#reading.then(end);
  }

  #queued<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#reading.then(work);
    this.#reading = result.catch(() => {});
    return result;
  }

  async #read(request: Readonly<FrameRequest>): Promise<Frame> {
    const beganMs = performance.now();
    const takenAt = new Date().toISOString();
    const gaps = new GapList();
    const scope = await this.#scope.now(gaps);
    const sockets = this.#sockets.read(scope, request, gaps);
    const [{ rows }, shortLived, nics, { scheduler, shares }] = await Promise.all([
      sockets,
      this.#ended.read(
        scope.namespaces,
        sockets.then(({ owners }) => owners),
        gaps,
      ),
      this.#nics.read(scope.namespaces, gaps),
      this.#scheduler.read(
        scope,
        sockets.then(({ holders }) => holders),
        gaps,
      ),
    ]);
    const frame: Frame = {
      schemaVersion: 1,
      command: 'top',
      version: packageVersion(),
      hostname: hostname(),
      takenAt,
      intervalMs: this.#last ? beganMs - this.#last.beganMs : 0,
      ...rows,
      ...(shortLived ? { shortLived } : {}),
      processes: withMore(rows.processes, shortLived, shares),
      ...(scheduler ? { scheduler } : {}),
      nics,
      self: this.#cost.of(beganMs),
      gaps: gaps.all(),
    };
    this.#last = { frame, beganMs };
    return frame;
  }

  async #select(request: Readonly<FrameRequest>): Promise<Frame | undefined> {
    const rows = this.#last && (await this.#sockets.select(request));
    return this.#last && rows ? { ...this.#last.frame, ...rows } : this.#last?.frame;
  }
}

/** Processes with what only other probes know of them. */
function withMore(
  processes: readonly ProcessRow[],
  shortLived: ShortLived | undefined,
  shares: ReadonlyMap<number, SocketShare>,
): ProcessRow[] {
  const ended = endedPerS(shortLived);
  return processes.map((row) => ({ ...row, ...shares.get(row.pid), ...present('endedPerS', ended.get(row.pid)) }));
}

/** The rate at which connections ended, of the processes to which that was attributed. */
function endedPerS(shortLived: ShortLived | undefined): Map<number, number> {
  const { by, windowMs } = shortLived ?? { by: [], windowMs: 0 };
  const rates = new Map<number, number>();
  for (const { pid, count } of by)
    if (pid !== undefined && windowMs > 0) rates.set(pid, (rates.get(pid) ?? 0) + (count * 1000) / windowMs);
  return rates;
}
