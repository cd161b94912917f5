/** Just enough of a terminal without wrapping to see what the painter leaves on it; anything else is an error. */
export class Emulated {
  readonly #cells: string[][];
  #row = 0;
  #column = 0;

  constructor(
    readonly columns: number,
    readonly rows: number,
  ) {
    this.#cells = Array.from({ length: rows }, () => Array<string>(columns).fill(' '));
  }

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal gets has escape sequences in it
    const pieces = text.match(/\u001b\[[?\d;]*[A-Za-z]|[^\u001b]/g) ?? [];
    if (pieces.join('') !== text) throw new Error(`not understood: ${JSON.stringify(text)}`);
    for (const piece of pieces) this.#take(piece);
  }

  lines(): string[] {
    return this.#cells.map((row) => row.join('').trimEnd());
  }

  #take(piece: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the same
    const [, parameters = '', command = ''] = /^\u001b\[([?\d;]*)([A-Za-z])$/.exec(piece) ?? [];
    const row = this.#cells[this.#row] ?? [];
    if (piece.length === 1) {
      if (piece < ' ') throw new Error(`a control character would scroll: ${JSON.stringify(piece)}`);
      row[this.#column] = piece;
      this.#column = Math.min(this.columns - 1, this.#column + 1);
    } else if (command === 'H') {
      const [line = 1, column = 1] = parameters.split(';').map(Number);
      [this.#row, this.#column] = [line - 1, column - 1];
      if (line > this.rows) throw new Error(`line ${line} of ${this.rows}`);
    } else if (command === 'K') row.fill(' ', this.#column);
    else if (command === 'J') for (const each of this.#cells) each.fill(' ');
    else if (command !== 'm' && !/^\?(2026|25)$/.test(parameters))
      throw new Error(`not understood: ${JSON.stringify(piece)}`);
  }
}
