import { setTimeout as sleep } from 'node:timers/promises';

interface Loop {
  intervalMs: number;
  /** Aborting it ends the loop, also in the middle of the pause. */
  signal: AbortSignal;
}

/**
 * Calls `turn` now and then at every multiple of the interval, counted from the start, so that it never drifts. A turn
 * that takes longer leaves out the beats that it ran over: turns never overlap and never pile up. Ends with the
 * signal's reason or with what a turn throws.
 */
export async function everyInterval({ intervalMs, signal }: Loop, turn: (at: number) => Promise<void>): Promise<never> {
  const start = performance.now();
  for (let beat = 0; ; ) {
    signal.throwIfAborted();
    await turn(beat);
    signal.throwIfAborted();
    beat = nextBeat(performance.now() - start, beat, intervalMs);
    const due = start + beat * intervalMs;
    // Timers may come a little early, and no beat may come twice.
    while (performance.now() < due) await pause(due - performance.now(), signal);
  }
}

/** The first beat after this one that is still to come. */
export const nextBeat = (elapsedMs: number, beat: number, intervalMs: number) =>
  Math.max(beat + 1, Math.ceil(elapsedMs / intervalMs));

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}
