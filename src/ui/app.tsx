import { EventEmitter } from 'node:events';
import { Box, type Instance, render, Text } from 'ink';

/** Each line is a text of its own, since Ink cuts a text that is too wide as a whole. */
function Screen({ lines }: { lines: readonly string[] }) {
  return (
    <Box flexDirection="column">
      {lines.map((line) => (
        <Text key={line} wrap="truncate-end">
          {line}
        </Text>
      ))}
    </Box>
  );
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

/**
 * Lays lines out by Ink, one frame at a time. What Ink does costs by the character, up to 20 ms for a large screen, so
 * that it only gets the lines that the frame before did not have: each stands for itself.
 */
export class InkScreen {
  readonly #sink = new Sink();
  #instance: Instance | undefined;
  #laidOut: ReadonlyMap<string, string> = new Map();

  /** The lines as they are shown, none wider than the terminal. */
  layOut(lines: readonly string[], columns: number): readonly string[] {
    if (columns !== this.#sink.columns) this.#laidOut = new Map();
    this.#sink.columns = columns;
    const fresh = [...new Set(lines)].filter((line) => line !== '' && !this.#laidOut.has(line));
    if (fresh.length > 0) this.#render(fresh);
    const known = new Map(fresh.map((line, i) => [line, this.#sink.lines[i] ?? '']));
    const shown = lines.map((line) => known.get(line) ?? this.#laidOut.get(line) ?? '');
    this.#laidOut = new Map(lines.map((line, i) => [line, shown[i] ?? '']));
    return shown;
  }

  #render(lines: readonly string[]): void {
    this.#sink.rows = lines.length;
    const screen = <Screen key={this.#sink.columns} lines={lines} />;
    if (this.#instance) this.#instance.rerender(screen);
    else
      this.#instance = render(screen, {
        stdout: this.#sink as unknown as NodeJS.WriteStream,
        debug: true,
        exitOnCtrlC: false,
        patchConsole: false,
      });
  }

  close(): void {
    this.#instance?.unmount();
  }
}
