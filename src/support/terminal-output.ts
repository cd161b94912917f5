import { closeSync, constants, openSync, writeSync } from 'node:fs';
import type { WriteStream } from 'node:tty';

interface Handle {
  setBlocking?: (blocking: boolean) => void;
}

/** How long a line that is stuck is waited for at the end. */
const PATIENCE_MS = 500;
const AGAIN_MS = 10;

/**
 * Node writes to terminals blockingly: on a line that is stuck (Ctrl-S, a slow network) the whole program would wait, keys
 * and signals included. Its own handle of the terminal is its own open file, so that others do not notice.
 */
export function setBlocking(stream: WriteStream, blocking: boolean): void {
  (stream as { _handle?: Handle })._handle?.setBlocking?.(blocking);
}

/**
 * Writes before it returns, ahead of what still waits in the stream; for the last words. A terminal that is gone is no
 * error, and one that stays stuck does not keep the program from ending.
 */
export function writeNow(stream: WriteStream & { fd?: number }, text: string): void {
  const inherited = stream.fd ?? 1;
  const own = openAnew(inherited);
  try {
    writePatiently(own ?? inherited, Buffer.from(text));
  } catch {
    // Nobody can see it any more.
  } finally {
    if (own !== undefined) closeSync(own);
  }
}

/** Not to block is a property of the open file, which the shell shares with us. After su the terminal is another user's. */
function openAnew(fd: number): number | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined;
  }
}

function writePatiently(fd: number, bytes: Buffer): void {
  const end = performance.now() + PATIENCE_MS;
  for (let at = 0; at < bytes.length && performance.now() < end; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
    }
  }
}
