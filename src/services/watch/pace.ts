/** The second frame is the first with rates: nobody should wait a whole interval for it. */
const FIRST_WINDOW_MS = 250;

/** A reading takes at most this share of the time: sockdoc must not become the problem that it looks for. */
const MOST_BUSY = 0.5;

/** One reading, in milliseconds of the monotonic clock. */
export interface Turn {
  /** When it should have begun. */
  dueMs: number;
  beganMs: number;
  tookMs: number;
  isFirst: boolean;
}

/**
 * When the next reading is due. It keeps the beat of the interval, whatever timers and consumers are late by, and leaves
 * out beats that have passed; after a reading of more than half of the interval it comes later.
 */
export function nextDue({ dueMs, beganMs, tookMs, isFirst }: Turn, intervalMs: number): number {
  const rested = beganMs + tookMs / MOST_BUSY;
  if (isFirst) return Math.max(beganMs + Math.min(FIRST_WINDOW_MS, intervalMs), rested);
  const beat = dueMs + intervalMs;
  // A beat that is nearly over when it begins would give a window too short to be compared with the others.
  return Math.max(beganMs > beat - intervalMs / 2 ? beganMs + intervalMs : beat, rested);
}

/** Whether the next reading comes later than was asked for, because this one was slow. */
export const isStretched = (tookMs: number, intervalMs: number): boolean => tookMs > intervalMs * MOST_BUSY;
