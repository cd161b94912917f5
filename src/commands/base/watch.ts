import { Flags } from '@oclif/core';
import { everyInterval } from '../../services/watch/loop.js';
import { SockdocError, usageError } from '../../support/errors.js';
import { untilInterrupted } from '../../support/interrupt.js';
import { print } from '../../support/output.js';
import { type Terminal, terminalOf } from '../../support/terminal.js';
import { Redraw } from './redraw.js';

const DEFAULT_INTERVAL_MS = 1000;
const [MIN_INTERVAL_MS, MAX_INTERVAL_MS] = [100, 3_600_000];

/** Flags of every view that can go on. */
export const watchFlags = {
  watch: Flags.boolean({
    char: 'w',
    description: 'Read again and again until Ctrl-C; with --json one line each time.',
  }),
  interval: Flags.custom<number>({
    description: `With --watch: milliseconds from one reading to the next. [default: ${DEFAULT_INTERVAL_MS}]`,
    helpValue: 'MS',
    dependsOn: ['watch'],
    parse: (text) => Promise.resolve(intervalOf(text)),
  })(),
};

export function intervalOf(text: string): number {
  const value = /^\d{1,9}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= MIN_INTERVAL_MS && value <= MAX_INTERVAL_MS) return value;
  throw usageError(
    `"${text}" is no interval: whole milliseconds from ${MIN_INTERVAL_MS} to ${MAX_INTERVAL_MS} were expected`,
  );
}

/** How a view is read and shown. */
interface View<Document> {
  intervalMs: number | undefined;
  json: boolean;
  read: (signal: AbortSignal) => Promise<Document>;
  /** One JSON text without line feeds. */
  line: (document: Document) => string;
  /** Text that ends with a line feed; `rows` is the terminal's height where it is redrawn. */
  text: (document: Document, terminal: Terminal & { rows?: number }) => string;
}

/**
 * Shows one reading after the other until a signal: on a terminal each in the place of the one before, else below it.
 * That end is the usual one, so nothing is said about it; the exit code is the signal's (130 for Ctrl-C).
 */
export async function watchView<Document>(view: View<Document>): Promise<void> {
  const redraw = !view.json && terminalOf(process.stdout).interactive ? new Redraw(process.stdout) : undefined;
  const turn = async (document: Document, at: number) => {
    const terminal = terminalOf(process.stdout);
    if (view.json) return print(`${view.line(document)}\n`);
    if (!redraw) return print(`${at > 0 ? '\n' : ''}${view.text(document, terminal)}`);
    return redraw.show(view.text(document, { ...terminal, rows: redraw.rows }));
  };
  const continued = () => redraw?.forget(); // the shell wrote its prompt meanwhile
  process.on('SIGCONT', continued);
  try {
    await untilInterrupted((signal) =>
      everyInterval({ intervalMs: view.intervalMs ?? DEFAULT_INTERVAL_MS, signal }, async (at) =>
        turn(await view.read(signal), at),
      ),
    );
  } catch (error) {
    if (!(error instanceof SockdocError) || error.kind !== 'interrupted') throw error;
    process.exitCode = error.code;
  } finally {
    process.off('SIGCONT', continued);
    redraw?.end();
  }
}
