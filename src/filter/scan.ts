import { FilterError } from './error.js';

export interface Word {
  text: string;
  position: number;
  quoted: boolean;
}

/** Walks over the text of a filter. */
export class Scanner {
  position = 0;

  constructor(readonly text: string) {}

  get atEnd(): boolean {
    return this.position >= this.text.length;
  }

  skipSpace(): void {
    this.take(/\s*/y);
  }

  /** What a sticky expression finds here; empty when nothing. */
  take(expression: RegExp): string {
    expression.lastIndex = this.position;
    const found = expression.exec(this.text)?.[0] ?? '';
    this.position += found.length;
    return found;
  }

  /** One or more words between commas. */
  words(expected: string): Word[] {
    const words = [this.word(expected)];
    while (this.take(/,/y) !== '') words.push(this.word(expected));
    if (!this.atEnd && !/\s/.test(this.text[this.position] ?? ''))
      throw new FilterError(this.position, 'a space or a comma was expected after the closing quote');
    return words;
  }

  private word(expected: string): Word {
    const position = this.position;
    const quoted = this.text[position] === '"';
    const text = quoted ? this.quotedWord() : this.take(/[^\s,"]*/y);
    if (text === '') throw new FilterError(position, expected);
    return { text, position, quoted };
  }

  private quotedWord(): string {
    const start = this.position;
    const raw = this.take(/"(?:[^"\\]|\\[\s\S])*"/y);
    if (raw !== '') return raw.slice(1, -1).replace(/\\([\s\S])/g, '$1');
    throw new FilterError(start, 'the quote is not closed');
  }
}

/** As it must be written to be read as one word again. */
export const quoted = (text: string): string => (/[\s,"]/.test(text) ? quote(text) : text);

export const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
