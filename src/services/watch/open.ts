import type { Frame } from '../../model/views/frame.js';
import type { FrameRequest } from '../../model/views/request.js';
import type { Target } from '../diagnose/options.js';
import { liveSource } from './live.js';
import { recorded } from './record.js';
import { type ReplaySource, replaySource } from './replay.js';
import type { FrameSource } from './source.js';

interface Opening {
  target: Target;
  /** Write the frames of the host to this file too. */
  record?: string;
  /** Play this file in place of looking at the host. */
  replay?: string;
  /** Nobody watches: a recording is over at its end, and no time passes between its frames. */
  atOnce: boolean;
}

/** The source of the frames; `player` when it is a recording. */
export function openSource({ target, record, replay, atOnce }: Opening): {
  source: FrameSource;
  player?: ReplaySource;
} {
  if (replay !== undefined) {
    const player = replaySource(replay, { atOnce });
    return { source: player, player };
  }
  const live = liveSource(target);
  return { source: record === undefined ? live : recorded(live, record) };
}

/** The first frame that knows rates; of a recording without one its last frame. */
export async function oneFrame(
  source: FrameSource,
  request: FrameRequest,
  signal: AbortSignal,
): Promise<Frame | undefined> {
  let last: Frame | undefined;
  for await (const frame of source.start(request, signal)) {
    last = frame;
    if (frame.intervalMs > 0) break;
  }
  return last;
}
