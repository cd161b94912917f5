import type { Frame } from '../../model/views/frame.js';
import type { Line, Span, Style } from '../draw/spans.js';
import { type Column, headLine, type Placed, place, rowLine, sortName } from '../draw/table.js';
import type { History } from '../state/history.js';
import type { UiState } from '../state/state.js';

/** Said where rows of sockets would stand. */
export const UNREAD = 'The TCP sockets could not be read.';

/** All that a view is made of. */
export interface Scene {
  frame: Frame;
  state: UiState;
  history: History;
  style: Style;
  columns: number;
}

/** A tab as the screen sees it: lines, and keys of the rows to move by. */
export interface Prepared {
  /** Of all rows, in the order in which they stand. */
  keys: readonly string[];
  /** Lines over the table. */
  above: readonly Line[];
  head: Line;
  row: (index: number) => Line;
  /** What is said in place of rows. */
  empty: string;
  /** By what it is sorted, in a word. */
  sort: string;
  /** Of the row with this key; undefined when it is gone. */
  detail: (key: string) => readonly Line[] | undefined;
}

export interface Tab {
  title: string;
  /** Names to sort by, the first is the usual one. */
  sorts: readonly string[];
  prepare: (scene: Scene) => Prepared;
}

interface ListTab<Row> {
  title: string;
  columns: readonly Column<Row>[];
  rows: (scene: Scene) => readonly Row[];
  key: (row: Row) => string;
  /** A sign before rows that want attention. */
  mark?: (row: Row) => Span;
  /** Left out: those of the columns that have an order. */
  sorts?: readonly string[];
  /** The rows come in their order already. */
  isSorted?: true;
  above?: (scene: Scene) => readonly Line[];
  empty: (scene: Scene) => string;
  detail: (row: Row, scene: Scene) => readonly Line[];
  /** Where rows that the table does not show can still be looked at. */
  find?: (key: string, scene: Scene) => Row | undefined;
}

const MARKS = 3;

/** A tab that is a table of rows. */
export function listTab<Row>(list: ListTab<Row>): Tab {
  const sorts = list.sorts ?? list.columns.filter(({ order }) => order !== undefined).map(sortName);
  return {
    title: list.title,
    sorts,
    prepare(scene) {
      const { tabs, tab } = scene.state;
      const { sort: chosen, reverse } = tabs[tab];
      const sort = sorts[chosen % Math.max(1, sorts.length)] ?? '';
      const rows = list.isSorted ? list.rows(scene) : sorted(list, list.rows(scene), sort, reverse);
      const placed: Placed<Row>[] = place(list.columns, scene.columns - MARKS);
      const find = (key: string) => rows.find((row) => list.key(row) === key) ?? list.find?.(key, scene);
      return {
        keys: rows.map(list.key),
        above: list.above?.(scene) ?? [],
        head: headLine(placed, sort, reverse, scene.style),
        row: (index) => {
          const row = rows[index];
          return row === undefined ? [] : rowLine(placed, row, list.mark?.(row) ?? ' ', scene.style);
        },
        empty: list.empty(scene),
        sort: `${sort}${reverse ? ' (smallest first)' : ''}`,
        detail: (key) => {
          const row = find(key);
          return row === undefined ? undefined : list.detail(row, scene);
        },
      };
    },
  };
}

/** Rows without the value come last either way; equal ones stay as they came. */
function sorted<Row>({ columns }: ListTab<Row>, rows: readonly Row[], by: string, reverse: boolean): readonly Row[] {
  const order = columns.find((column) => sortName(column) === by)?.order;
  if (order === undefined) return rows;
  const known = rows.filter((row) => order(row) !== undefined);
  const unknown = rows.filter((row) => order(row) === undefined);
  return [...known.toSorted((a, b) => compare(order(a), order(b)) * (reverse ? -1 : 1)), ...unknown];
}

/** Numbers the largest first, texts by the alphabet. */
function compare(a: string | number | undefined, b: string | number | undefined): number {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : Number(a > b);
  return Number(b ?? 0) - Number(a ?? 0);
}
