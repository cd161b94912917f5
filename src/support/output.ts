import { EXIT } from './errors.js';

/** Writes to stdout and waits until it is out. A reader that went away (`| head -1`) ends the program quietly. */
export function print(text: string | Uint8Array): Promise<void> {
  return write(process.stdout, text);
}

/** For people: warnings, progress, errors. */
export function printError(text: string): Promise<void> {
  return write(process.stderr, text);
}

/**
 * The reader of a pipe may leave at any time: that is no error of ours, and whoever reads the exit code still gets the
 * one that the command came to.
 */
export function endQuietlyOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok);
      throw error;
    });
  }
}

function write(stream: NodeJS.WriteStream, text: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    stream.write(text, () => resolve());
  });
}
