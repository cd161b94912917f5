import { EventEmitter } from 'node:events';
import { type Instance, render, Text } from 'ink';

/** One text for all lines: every node more would cost more than what it holds. */
function Screen({ lines }: { lines: readonly string[] }) {
  return <Text wrap="truncate-end">{lines.join('\n')}</Text>;
}

/**
 * What Ink writes to in place of the terminal. It clears and rewrites the whole screen when a frame is as high as the
 * terminal; in its debug mode it gives every frame whole, and the painter finds out which lines differ.
 */
class Sink extends EventEmitter {
  columns = 0;
  rows = 0;
  lines: readonly string[] = [];

  write(text: string): boolean {
    this.lines = text.split('\n');
    return true;
  }
}

/** Lays lines out by Ink, one frame at a time. */
export class InkScreen {
  readonly #sink = new Sink();
  #instance: Instance | undefined;

  /** The lines as they are shown, for a terminal of this width. */
  layOut(lines: readonly string[], columns: number, rows: number): readonly string[] {
    [this.#sink.columns, this.#sink.rows] = [columns, rows];
    if (this.#instance) this.#instance.rerender(<Screen lines={lines} />);
    else
      this.#instance = render(<Screen lines={lines} />, {
        stdout: this.#sink as unknown as NodeJS.WriteStream,
        debug: true,
        exitOnCtrlC: false,
        patchConsole: false,
      });
    return this.#sink.lines;
  }

  close(): void {
    this.#instance?.unmount();
  }
}
