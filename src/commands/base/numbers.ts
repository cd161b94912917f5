import { parseDuration } from '../../support/duration.js';
import { usageError } from '../../support/errors.js';

const MAX_WINDOW_MS = 3_600_000;

/** --window: whole milliseconds, an hour at most. */
export function windowOf(text: string): number {
  const expected = `whole milliseconds from 0 to ${MAX_WINDOW_MS} were expected`;
  if (!/^\d{1,9}$/.test(text.trim())) throw usageError(`"${text}" is no window: ${expected}`);
  const value = Number(text);
  if (value > MAX_WINDOW_MS) throw usageError(`${text} is too long a window: ${expected}`);
  return value;
}

/** --for: "90s", "10m", "1h". */
export function durationOf(text: string): number {
  const value = parseDuration(text);
  if (value === undefined || value <= 0)
    throw usageError(`"${text}" is no duration: a number with s, m or h was expected, as in 10m`);
  return value;
}

/** --limit: a whole number above 0. */
export function limitOf(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text.trim())) return Number(text);
  throw usageError(`"${text}" is no limit: a whole number above 0 was expected`);
}
