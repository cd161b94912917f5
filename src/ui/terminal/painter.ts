import { width } from '../../report/layout.js';

const [BEGIN_UPDATE, END_UPDATE] = ['\u001b[?2026h', '\u001b[?2026l'];
const [SHOW_CURSOR, HIDE_CURSOR] = ['\u001b[?25h', '\u001b[?25l'];
const [CLEAR, RESET, END_OF_LINE] = ['\u001b[2J', '\u001b[0m', '\u001b[K'];
// biome-ignore lint/suspicious/noControlCharactersInRegex: our own colours, which take no room
const COLOURS = /\u001b\[\d*m/g;

/**
 * Knows what the terminal shows and says what must be written to show something else: only lines that differ, each at
 * its place, in one update. No line feed is ever written, so that nothing can scroll, not even while the terminal
 * shrinks.
 */
export class Painter {
  #shown: readonly string[] = [];
  #columns = 0;
  #rows = 0;
  #cursor = '';

  /** What the terminal shows is not known: everything is drawn anew. */
  forget(): void {
    this.#columns = 0;
  }

  /** What to write; empty when it shows these lines already. */
  update(lines: readonly string[], columns: number, rows: number, cursor?: { row: number; column: number }): string {
    const fresh = columns !== this.#columns || rows !== this.#rows;
    const before = fresh ? [] : this.#shown;
    const after = Array.from({ length: rows }, (_, row) => lines[row] ?? '');
    [this.#shown, this.#columns, this.#rows] = [after, columns, rows];
    let text = '';
    for (const [row, line] of after.entries()) {
      if (line === (before[row] ?? (fresh ? '' : undefined))) continue;
      // At the right edge the cursor stays on the last character, which END_OF_LINE would take away.
      const rest = width(line.replace(COLOURS, '')) < columns ? END_OF_LINE : '';
      text += `\u001b[${row + 1};1H${line}${rest}`;
    }
    const at = cursor ? `\u001b[${cursor.row + 1};${cursor.column + 1}H${SHOW_CURSOR}` : '';
    const moved = at !== this.#cursor;
    this.#cursor = at;
    if (!fresh && text === '' && !moved) return '';
    return `${BEGIN_UPDATE}${fresh ? RESET + CLEAR : ''}${text}${at === '' && moved ? HIDE_CURSOR : at}${END_UPDATE}`;
  }
}
