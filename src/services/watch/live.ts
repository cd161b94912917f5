import type { Frame } from '../../model/views/frame.js';
import type { FrameRequest } from '../../model/views/request.js';
import type { Target } from '../diagnose/options.js';
import { isStretched, nextDue, type Turn } from './pace.js';
import { Sampler } from './sampler.js';
import type { FrameSource } from './source.js';
import { Waker } from './waker.js';

/** Frames of this host as it is now. Without root they hold what is visible, and gaps say what is not. */
export const liveSource = (target: Target): FrameSource => new LiveSource(target);

class LiveSource implements FrameSource {
  readonly #target: Target;
  readonly #waker = new Waker();

  constructor(target: Target) {
    this.#target = target;
  }

  refresh(): void {
    this.#waker.wake();
  }

  async *start(request: Readonly<FrameRequest>, signal: AbortSignal): AsyncIterable<Frame> {
    const sampler = await Sampler.open(this.#target);
    try {
      let dueMs = performance.now();
      for (let isFirst = true; !signal.aborted; isFirst = false) {
        const turn = yield* this.#turn(sampler, { dueMs, isFirst }, request, signal);
        if (turn === undefined) return;
        dueMs = nextDue(turn, request.intervalMs);
        yield* this.#rest(sampler, dueMs, request, signal);
      }
    } finally {
      sampler.close();
    }
  }

  /** One reading and its frame; nothing when it was aborted meanwhile. */
  async *#turn(
    sampler: Sampler,
    due: Pick<Turn, 'dueMs' | 'isFirst'>,
    request: Readonly<FrameRequest>,
    signal: AbortSignal,
  ): AsyncGenerator<Frame, Turn | undefined> {
    this.#waker.sleep();
    const beganMs = performance.now();
    const frame = await orAborted(sampler.read(request), signal);
    if (frame === undefined) return undefined;
    const turn = { ...due, beganMs, tookMs: performance.now() - beganMs };
    yield isStretched(turn.tookMs, request.intervalMs) ? withSlowness(frame, turn, request.intervalMs) : frame;
    return turn;
  }

  /** Until the next reading is due: answers each change of the request from the reading that is there. */
  async *#rest(
    sampler: Sampler,
    untilMs: number,
    request: Readonly<FrameRequest>,
    signal: AbortSignal,
  ): AsyncGenerator<Frame> {
    while (!signal.aborted) {
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 && !this.#waker.isAwake) return;
      await this.#waker.pause(leftMs, signal);
      if (signal.aborted || !this.#waker.isAwake) continue;
      this.#waker.sleep();
      const frame = await orAborted(sampler.select(request), signal);
      if (frame !== undefined) yield frame;
    }
  }
}

function withSlowness(frame: Frame, { tookMs }: Turn, intervalMs: number): Frame {
  const reason = `a reading took ${Math.round(tookMs)} ms: readings come at twice that at most`;
  return { ...frame, gaps: [...frame.gaps, { probe: 'top', what: `the interval of ${intervalMs} ms`, reason }] };
}

/** Work that may not be waited for any more: whoever pressed q wants the shell back now. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  let stop = () => {};
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
