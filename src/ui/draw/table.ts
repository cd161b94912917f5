import { ascii, clean } from '../../report/clean.js';
import { shorten, width } from '../../report/layout.js';
import type { Line, Span, Style } from './spans.js';

export interface Column<Row> {
  title: string;
  /** Columns of the terminal that it takes; it does not change with what it holds, so that nothing jumps. */
  width: number;
  /** Up to which it grows where there is room. */
  max?: number;
  align?: 'left' | 'right';
  /** 0 stays whatever the width; of the others the highest goes first. */
  priority: number;
  /** Undefined for what is not known. */
  cell: (row: Row) => Span | undefined;
  /** By what rows are ordered when this column is the one to sort by, the largest first. */
  order?: (row: Row) => number | string | undefined;
  /** The name under which it is sorted by, where that is not its title in lower case. */
  sort?: string;
}

export interface Placed<Row> extends Column<Row> {
  room: number;
}

/** A column of numbers that rows can be sorted by. */
export const measured = <Row>(
  title: string,
  width: number,
  priority: number,
  value: (row: Row) => number | undefined,
  format: (value: number | undefined) => string | undefined,
  sort?: string,
): Column<Row> => ({
  title,
  width,
  priority,
  align: 'right',
  order: value,
  cell: (row) => format(value(row)),
  ...(sort === undefined ? {} : { sort }),
});

/** The columns that fit, each with its width for this width of the terminal. */
export function place<Row>(columns: readonly Column<Row>[], room: number): Placed<Row>[] {
  let kept = [...columns];
  const least = () => Math.max(...kept.map(({ priority }) => priority));
  while (taken(kept) > room && least() > 0) {
    const last = kept.findLastIndex(({ priority }) => priority === least());
    kept = kept.filter((_, i) => i !== last);
  }
  const placed = kept.map((column) => ({ ...column, room: column.width }));
  for (let left = room - taken(kept); left > 0; ) {
    const growing = placed.filter((column) => column.room < (column.max ?? column.width));
    if (growing.length === 0) break;
    for (const column of growing.slice(0, left)) column.room++;
    left -= Math.min(left, growing.length);
  }
  return placed;
}

const taken = (columns: readonly { width: number }[]) =>
  columns.reduce((sum, column) => sum + column.width, 0) + Math.max(0, columns.length - 1);

/** The titles; the one that rows are sorted by has an arrow. */
export function headLine<Row>(placed: readonly Placed<Row>[], sort: string, reverse: boolean, style: Style): Line {
  const arrow = style.unicode ? (reverse ? '▲' : '▼') : reverse ? '^' : 'v';
  return [
    { text: '   ' },
    ...placed.flatMap((column, i) => {
      const sorted = sortName(column) === sort;
      const title = sorted ? `${shorten(column.title, column.room - 1, '')}${arrow}` : column.title;
      return [i > 0 ? ' ' : '', { text: fill(title, column, style), ink: 'bold' as const }];
    }),
  ];
}

/** One row; `mark` stands before it. */
export function rowLine<Row>(placed: readonly Placed<Row>[], row: Row, mark: Span, style: Style): Line {
  return [
    mark,
    ' ',
    ...placed.flatMap((column, i) => {
      const cell = column.cell(row) ?? { text: '' };
      const { text, ink } = typeof cell === 'string' ? { text: cell, ink: undefined } : cell;
      return [i > 0 ? ' ' : '', { text: fill(text, column, style), ink }];
    }),
  ];
}

export const sortName = ({ sort, title }: { sort?: string; title: string }) => sort ?? title.toLowerCase();

function fill<Row>(text: string, { room, align }: Placed<Row>, { unicode }: Style): string {
  const safe = unicode ? clean(text) : ascii(clean(text));
  const short = shorten(safe, room, unicode ? '…' : '~');
  const blank = ' '.repeat(Math.max(0, room - width(short)));
  return align === 'right' ? blank + short : short + blank;
}
