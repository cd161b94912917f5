import type { Frame } from '../../model/views/frame.js';
import type { FrameRequest } from '../../model/views/request.js';

/** Where the frames of the live screen come from: the host as it is now, or a recording. */
export interface FrameSource {
  /**
   * Frames, one per interval, the first at once (`intervalMs` 0: nothing moved yet). The request is read anew for each
   * frame, so that its owner changes it in place. Ends when the signal is aborted, without an error, and when a
   * recording is over; fails with a SockdocError. One consumer, one start. A consumer that is slow makes the source
   * wait: frames never queue.
   */
  start(request: Readonly<FrameRequest>, signal: AbortSignal): AsyncIterable<Frame>;

  /**
   * The request was changed: a source that can answers soon, with the reading that it has (the same `takenAt`, other
   * rows), and never with a reading of a shorter window.
   */
  refresh(): void;
}
