import { createInterface } from 'node:readline/promises';
import { interrupted } from '../../support/errors.js';

/** Asks on the terminal; anything but a yes is a no, also its end (Ctrl-D). The question goes to stderr: stdout is for the answer. */
export async function askYes(question: string, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal });
    return /^\s*y(es)?\s*$/i.test(answer);
  } catch (error) {
    signal.throwIfAborted();
    if ((error as Error).name !== 'AbortError') throw error;
    // The terminal is in raw mode here: Ctrl-C comes as a character, not as a signal.
    if (/Ctrl\+D/i.test((error as Error).message)) return false;
    throw interrupted('SIGINT', { next: 'Nothing was written.' });
  } finally {
    lines.close();
  }
}
