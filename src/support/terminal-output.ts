import { writeSync } from 'node:fs';
import type { WriteStream } from 'node:tty';

interface Handle {
  setBlocking?: (blocking: boolean) => void;
}

/**
 * Node writes to terminals blockingly: on a line that is stuck (Ctrl-S, a slow network) the whole program would wait, keys
 * and signals included. Its own handle of the terminal is its own open file, so that others do not notice.
 */
export function setBlocking(stream: WriteStream, blocking: boolean): void {
  (stream as { _handle?: Handle })._handle?.setBlocking?.(blocking);
}

/** Writes before it returns, ahead of what still waits in the stream; for the last words. A terminal that is gone is no error. */
export function writeNow(stream: WriteStream & { fd?: number }, text: string): void {
  try {
    writeSync(stream.fd ?? 1, text);
  } catch {
    // Nobody can see it any more.
  }
}
