import { select } from '../../filter/select.js';
import type { Frame } from '../../model/views/frame.js';
import type { FrameRequest } from '../../model/views/request.js';
import { Recording } from './recording.js';
import type { FrameSource } from './source.js';
import { Waker } from './waker.js';

/** Pauses of a recording that was stopped and continued need not be sat through; nor may frames come faster than drawn. */
const [SHORTEST_MS, LONGEST_MS] = [50, 10_000];

/** A recording that is played, with the keys of a player. */
export interface ReplaySource extends FrameSource {
  readonly count: number;
  /** Of the frame that was given last, from 0. */
  readonly position: number;
  readonly isCut: boolean;
  /** 2 plays twice as fast as it was. */
  speed: number;
  isPaused: boolean;
  /** Forwards or backwards by so many frames, at once. */
  step(by: number): void;
}

/**
 * Frames as they were recorded and in that pace, chosen anew by the request; it stays at the last one. With `atOnce` no
 * time passes between them, and it is over after the last one.
 */
export function replaySource(path: string, { atOnce = false } = {}): ReplaySource {
  return new Replay(new Recording(path), atOnce);
}

class Replay implements ReplaySource {
  readonly #recording: Recording;
  readonly #waker = new Waker();
  #wanted: number | undefined;
  #speed = 1;
  #isPaused = false;
  position = 0;

  constructor(
    recording: Recording,
    private readonly atOnce: boolean,
  ) {
    this.#recording = recording;
  }

  get count(): number {
    return this.#recording.count;
  }

  get isCut(): boolean {
    return this.#recording.isCut;
  }

  get speed(): number {
    return this.#speed;
  }

  set speed(value: number) {
    this.#speed = value;
    this.#waker.wake();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  set isPaused(value: boolean) {
    this.#isPaused = value;
    this.#waker.wake();
  }

  step(by: number): void {
    const from = this.#wanted ?? this.position;
    this.#wanted = Math.min(this.count - 1, Math.max(0, from + by));
    this.#waker.wake();
  }

  refresh(): void {
    this.#wanted ??= this.position;
    this.#waker.wake();
  }

  async *start(request: Readonly<FrameRequest>, signal: AbortSignal): AsyncGenerator<Frame> {
    for (this.position = 0; !signal.aborted; ) {
      yield chosen(this.#recording.frame(this.position), request);
      const next = await this.#next(signal);
      if (next === undefined) return;
      this.position = next;
    }
  }

  /** What is to be shown after this frame, once it is due or wanted. */
  async #next(signal: AbortSignal): Promise<number | undefined> {
    if (this.atOnce) return this.position < this.count - 1 ? this.position + 1 : undefined;
    const beganMs = performance.now();
    while (!signal.aborted) {
      this.#waker.sleep();
      const wanted = this.#wanted;
      this.#wanted = undefined;
      if (wanted !== undefined) return wanted;
      const dueMs = this.#pauseMs() - (performance.now() - beganMs);
      if (dueMs <= 0) return this.position + 1;
      await this.#waker.pause(dueMs, signal);
    }
    return undefined;
  }

  #pauseMs(): number {
    if (this.#isPaused || this.position >= this.count - 1) return Number.POSITIVE_INFINITY;
    const { intervalMs } = this.#recording.frame(this.position + 1);
    return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, intervalMs / this.#speed));
  }
}

function chosen(frame: Frame, request: Readonly<FrameRequest>): Frame {
  const { rows, matching } = select(frame.connections, request);
  // The recording holds the first rows only: with no filter of ours its own count is the better one.
  if (request.filter.length === 0 || frame.totals === undefined) return { ...frame, connections: rows };
  return { ...frame, connections: rows, totals: { ...frame.totals, matching } };
}
