import { ascii, clean } from './clean.js';
import { shorten, width } from './layout.js';
import { type Ink, type Look, paint } from './look.js';

/** A text with a colour; undefined for a value that is not there. */
export type Cell = string | number | undefined | { text: string; ink?: Ink };

export interface Column<Row> {
  title: string;
  cell: (row: Row) => Cell;
  align?: 'left' | 'right';
  /** 0 stays whatever the width; of the others the highest goes first. */
  priority: number;
  /** What stays of it when it is shortened, in columns of the terminal; left out: it is never shortened. */
  min?: number;
  /** Longer cells are shortened even where there is room. Default 40. */
  max?: number;
}

interface Drawn {
  title: string;
  cells: { text: string; ink?: Ink }[];
  right: boolean;
  priority: number;
  min: number;
  width: number;
}

const GAP = 2;
const DEFAULT_MAX = 40;

/**
 * The titles and the rows as lines, cleaned and coloured. A column in which no row has a value is left out. Where the
 * terminal is too narrow, whole columns go first, the least important before the others; then those that stay are
 * shortened in the middle, the widest most. Without a limit everything is shown.
 */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[], look: Look): string[] {
  const drawn = columns
    .map((column) => draw(column, rows, look))
    .filter((column, i) => columns[i]?.priority === 0 || column.cells.some(({ text }) => text !== ''));
  const kept = look.columns === undefined ? drawn : fitted(drawn, look.columns);
  const head = line(
    kept,
    kept.map(({ title }) => ({ text: title })),
    look,
  );
  return [
    paint(head, 'bold', look),
    ...rows.map((_, row) =>
      line(
        kept,
        kept.map(({ cells }) => cells[row] ?? { text: '' }),
        look,
      ),
    ),
  ];
}

function draw<Row>(column: Column<Row>, rows: readonly Row[], look: Look): Drawn {
  const { title, cell, align = 'left', priority, min, max = DEFAULT_MAX } = column;
  const cells = rows.map((row) => drawCell(cell(row), look));
  let widest = width(title);
  for (const { text } of cells) widest = Math.max(widest, Math.min(max, width(text)));
  return { title, cells, right: align === 'right', priority, min: Math.min(widest, min ?? widest), width: widest };
}

function drawCell(cell: Cell, { unicode }: Look): { text: string; ink?: Ink } {
  if (cell === undefined) return { text: '' };
  const { text, ink } = typeof cell === 'object' ? cell : { text: String(cell), ink: undefined };
  const safe = clean(text);
  return { text: unicode ? safe : ascii(safe), ...(ink === undefined ? {} : { ink }) };
}

/** Drops and shortens until the columns fit. */
function fitted(columns: readonly Drawn[], room: number): Drawn[] {
  let kept = [...columns];
  while (total(kept) > room) {
    const least = Math.max(...kept.map(({ priority }) => priority));
    if (least <= 0) break;
    const last = kept.findLastIndex(({ priority }) => priority === least);
    kept = kept.filter((_, i) => i !== last);
  }
  for (const floor of [(column: Drawn) => column.min, () => 1]) shrink(kept, room, floor);
  return kept;
}

/** Takes from the widest column that may still give, one column of the terminal after the other. */
function shrink(columns: Drawn[], room: number, floor: (column: Drawn) => number): void {
  while (total(columns) > room) {
    const giving = columns.filter((column) => column.width > floor(column));
    const [widest] = giving.toSorted((a, b) => b.width - a.width);
    if (!widest) return;
    widest.width--;
  }
}

const total = (columns: readonly Drawn[]) =>
  columns.reduce((sum, column) => sum + column.width, 0) + GAP * Math.max(0, columns.length - 1);

function line(columns: readonly Drawn[], cells: readonly { text: string; ink?: Ink }[], look: Look): string {
  const parts = columns.map((column, i) => {
    const { text, ink } = cells[i] ?? { text: '' };
    const short = shorten(text, column.width, look.unicode ? '…' : '~');
    const blank = ' '.repeat(Math.max(0, column.width - width(short)));
    const last = i === columns.length - 1;
    return column.right ? blank + paint(short, ink, look) : paint(short, ink, look) + (last ? '' : blank);
  });
  return parts.join(' '.repeat(GAP)).trimEnd();
}
