import { EventEmitter } from 'node:events';
import { Box, type Instance, render, Text, Transform } from 'ink';

interface ScreenProps {
  lines: readonly string[];
  columns: number;
}

/**
 * Ink remembers every text that it ever measured, and nothing ends that: some 600 MB in a day of this screen. So what it
 * measures is as many blanks as the terminal is wide, and the line itself takes their place when they are written.
 */
function Screen({ lines, columns }: ScreenProps) {
  const blanks = ' '.repeat(columns);
  return (
    <Box flexDirection="column">
      {lines.map((line, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: whatever stands there, it is laid out as the line before was
        <Transform key={row} transform={() => line}>
          <Text>{blanks}</Text>
        </Transform>
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

  /** The lines as they are shown; none may be wider than the terminal. */
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
    const screen = <Screen columns={this.#sink.columns} lines={lines} />;
    if (this.#instance) this.#instance.rerender(screen);
    else
      this.#instance = render(screen, {
        stdout: this.#sink as unknown as NodeJS.WriteStream,
        debug: true,
        exitOnCtrlC: false,
        patchConsole: false,
        isScreenReaderEnabled: false,
      });
  }

  close(): void {
    this.#instance?.unmount();
  }
}
