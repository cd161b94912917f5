import type { Frame } from '../../src/model/views/frame.js';
import type { FrameRequest } from '../../src/model/views/request.js';
import type { Target } from '../../src/services/diagnose/options.js';
import { liveSource } from '../../src/services/watch/live.js';

export const frameRequest = (parts: Partial<FrameRequest> = {}): FrameRequest => ({
  intervalMs: 1000,
  sort: 'rate',
  reverse: false,
  filter: [],
  limit: 100,
  keep: [],
  ...parts,
});

/** Frames of this host, one after the other, until `enough` says so of those that there are. */
export async function framesUntil(
  target: Partial<Target>,
  request: Partial<FrameRequest>,
  enough: (frames: readonly Frame[]) => boolean | Promise<boolean>,
): Promise<Frame[]> {
  const frames: Frame[] = [];
  const { signal } = new AbortController();
  for await (const frame of liveSource({ pids: [], ...target }).start(frameRequest(request), signal)) {
    frames.push(frame);
    if (await enough(frames)) break;
  }
  return frames;
}

/** So many frames with a window behind them: the first, which has none, is left out. */
export const framesOf = async (target: Partial<Target>, count: number, intervalMs = 1000): Promise<Frame[]> =>
  (await framesUntil(target, { intervalMs }, (frames) => frames.length > count)).slice(1);

/** What a rate amounts to over the frames: a frame that lacks it counts nothing. */
export const amount = (frames: readonly Frame[], rate: (frame: Frame) => number | undefined): number =>
  frames.reduce((sum, frame) => sum + ((rate(frame) ?? 0) * frame.intervalMs) / 1000, 0);
