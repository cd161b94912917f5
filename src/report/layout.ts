/** Columns that a text takes on a terminal: two for wide East Asian characters and pictures, none for combining marks. */
export function width(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let sum = 0;
  for (const char of text) sum += charWidth(char);
  return sum;
}

/** Most texts: one column for each character. */
const PLAIN = /^[\x20-\x7e]*$/;

const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
];

function charWidth(char: string): number {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (/\p{Mn}|\p{Me}/u.test(char)) return 0;
  return WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}

/**
 * Breaks a text into lines of at most `columns`, at spaces where it can, else inside a word. `first` begins the first
 * line and `rest` the others; both count. Without a limit it stays one line.
 */
export function wrap(text: string, columns: number | undefined, first = '', rest = ' '.repeat(width(first))): string[] {
  if (columns === undefined) return [first + text];
  const lines: string[] = [];
  let line = first;
  let empty = true;
  const push = () => {
    lines.push(line.trimEnd());
    line = rest;
    empty = true;
  };
  for (const word of text.split(' ').flatMap((w) => split(w, Math.max(1, columns - width(rest))))) {
    const broad = width(line) + (empty ? 0 : 1) + width(word) > columns;
    // A beginning that leaves no room for the first word stands alone.
    if (broad && (!empty || (lines.length === 0 && width(first) > width(rest)))) push();
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  if (!empty || lines.length === 0) lines.push(line);
  return lines;
}

/**
 * A text of at most `room` columns: what is too long loses its middle, since the ends of addresses and names tell them
 * apart.
 */
export function shorten(text: string, room: number, ellipsis: string): string {
  if (width(text) <= room) return text;
  const rest = room - width(ellipsis);
  if (rest <= 0) return ellipsis.slice(0, Math.max(0, room));
  const chars = [...text];
  const head = upTo(chars, Math.ceil(rest / 2));
  return head + ellipsis + upTo(chars.reverse(), rest - width(head), true);
}

/** The first characters that fit into so many columns; `reversed`: they are given, and wanted, from the end. */
function upTo(chars: readonly string[], room: number, reversed = false): string {
  const taken: string[] = [];
  let left = room;
  for (const char of chars) {
    left -= charWidth(char);
    if (left < 0) break;
    taken.push(char);
  }
  return (reversed ? taken.reverse() : taken).join('');
}

/** A word in pieces of at most `room` columns. */
function split(word: string, room: number): string[] {
  if (width(word) <= room) return [word];
  const pieces: string[] = [];
  let piece = '';
  for (const char of word) {
    if (piece !== '' && width(piece) + charWidth(char) > room) {
      pieces.push(piece);
      piece = '';
    }
    piece += char;
  }
  return [...pieces, piece];
}
