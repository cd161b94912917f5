import { ascii, clean } from '../clean.js';
import { foldCommand } from '../fold-command.js';
import { wrap } from '../layout.js';
import { type Ink, type Look, paint } from '../look.js';
import { type Column, tableLines } from '../table.js';

export type { Ink, Look } from '../look.js';

/** Without a terminal long lines of prose are still broken, so that a file or a mail can be read. */
const DEFAULT_COLUMNS = 100;
const NARROWEST = 20;

/**
 * Lines of text for people. Everything that is put on it is cleaned of control characters here, so no writer can forget
 * to; our own colours are laid on after that.
 */
export class Paper {
  private readonly lines: string[] = [];
  private readonly columns: number;

  constructor(readonly look: Look) {
    this.columns = Math.max(NARROWEST, look.columns ?? DEFAULT_COLUMNS);
  }

  blank(): void {
    if (this.lines.length > 0 && this.lines.at(-1) !== '') this.lines.push('');
  }

  /** A paragraph; `first` begins it and the other lines are indented as far as `first` is wide. */
  text(text: string, { first = '', ink, rest }: { first?: string; ink?: Ink; rest?: string } = {}): void {
    const fit = this.fit(first);
    for (const line of wrap(this.plain(text), this.columns, fit, rest)) this.lines.push(this.paint(line, ink));
  }

  /** Text whose lines stay as they are, except that each is broken at the edge. */
  prose(text: string, first = ''): void {
    for (const line of text.split('\n')) this.text(line, { first });
  }

  /** A label, then a paragraph beside it: "Why    Clients are …". */
  labelled(label: string, text: string, indent: string): void {
    const head = this.fit(`${indent}${label.padEnd(5)} `);
    const [first = '', ...rest] = wrap(this.plain(text), this.columns, head);
    this.lines.push(first.startsWith(head) ? this.paint(head, 'dim') + first.slice(head.length) : first, ...rest);
  }

  /** A command to copy: never changed by wrapping, only continued with backslashes on a terminal. */
  command(command: string, indent: string): void {
    const columns = this.look.columns === undefined ? undefined : this.columns;
    for (const line of command.split('\n'))
      for (const folded of foldCommand(this.plain(line), columns, this.fit(indent)))
        this.lines.push(this.paint(folded, 'cyan'));
  }

  /** The one line to read first: stays one line where nothing limits the width (`| tail -1`). */
  last(text: string, ink: Ink): void {
    const columns = this.look.columns === undefined ? undefined : this.columns;
    for (const line of wrap(this.plain(text), columns)) this.lines.push(this.paint(line, ink));
  }

  /** One line for the titles and one for each row; fits the terminal. */
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    for (const line of tableLines(columns, rows, this.look)) this.lines.push(line);
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`;
  }

  paint(text: string, ink: Ink | undefined): string {
    return paint(text, ink, this.look);
  }

  private plain(text: string): string {
    const safe = clean(text);
    return this.look.unicode ? safe : ascii(safe);
  }

  /** On a very narrow terminal an indent gives way to the text. */
  private fit(first: string): string {
    const safe = this.look.unicode ? first : ascii(first);
    return safe.length * 2 > this.columns ? safe.trimStart() : safe;
  }
}
