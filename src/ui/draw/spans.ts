import { ascii, clean } from '../../report/clean.js';
import { width } from '../../report/layout.js';
import { type Ink, paint } from '../../report/look.js';

/** A piece of a line; what colour says is also said by a word or a sign. */
export type Span = string | { text: string; ink?: Ink | undefined };
export type Line = readonly Span[];

/** What the terminal can show. */
export interface Style {
  colour: boolean;
  unicode: boolean;
}

/**
 * A line as it is written, never wider than `columns`: cleaned of all that could steer the terminal, then coloured.
 * A selected line is inverse over its whole width.
 */
export function render(line: Line, columns: number, style: Style, { selected = false } = {}): string {
  let room = columns;
  let out = '';
  for (const span of line) {
    if (room <= 0) break;
    const { text, ink } = typeof span === 'string' ? { text: span, ink: undefined } : span;
    const safe = style.unicode ? clean(text) : ascii(clean(text));
    const short = cut(safe, room, style);
    room -= width(short);
    out += selected ? short : paint(short, ink, style);
  }
  return selected ? paint(out + ' '.repeat(Math.max(0, room)), 'inverse', style) : out;
}

/** The beginning that fits, marked where something is missing. */
export function cut(text: string, room: number, { unicode }: Pick<Style, 'unicode'>): string {
  if (width(text) <= room) return text;
  let short = '';
  let left = room - 1;
  for (const char of text) {
    left -= width(char);
    if (left < 0) break;
    short += char;
  }
  return `${short}${unicode ? '…' : '~'}`;
}

/** How many columns a line takes before it is cut. */
export const lineWidth = (line: Line, style: Style): number => width(render(line, 10_000, { ...style, colour: false }));
