import { parseFilter } from '../../filter/parse.js';
import { printFilter } from '../../filter/print.js';
import { FILTER_FIELDS, type Filter } from '../../model/views/filter.js';

export const TABS = ['connections', 'processes', 'scheduler', 'descriptors', 'nic', 'user-space'] as const;
export type TabId = (typeof TABS)[number];

export interface TabState {
  /** Key of the row that was chosen; none: the first, whatever it is. */
  selected?: string;
  /** Where it was last, for when it is gone. */
  index: number;
  sort: number;
  reverse: boolean;
}

/** A filter while it is typed. */
export interface Edit {
  text: string;
  /** In code points. */
  cursor: number;
  error?: { position: number; problem: string };
}

export interface UiState {
  tab: TabId;
  tabs: Readonly<Record<TabId, TabState>>;
  filter: Filter;
  filterText: string;
  edit?: Edit;
  /** Over the table: one row, the keys, or what could not be seen. */
  overlay?: { kind: 'detail'; key: string } | { kind: 'help' } | { kind: 'gaps' };
  /** What is to be confirmed: a process attached to or detached from, by its row. */
  ask?: { back: boolean; key: string };
  /** What became of it, until the next key. */
  said?: { text: string; isBad: boolean };
  /** First line of the overlay that is shown. */
  scrolled: number;
  paused: boolean;
}

const fresh: TabState = { index: 0, sort: 0, reverse: false };

export function initialState(filter: Filter): UiState {
  return {
    tab: 'connections',
    tabs: {
      connections: fresh,
      processes: fresh,
      scheduler: fresh,
      descriptors: fresh,
      nic: fresh,
      'user-space': fresh,
    },
    filter,
    filterText: printFilter(filter),
    scrolled: 0,
    paused: false,
  };
}

/** The text as a filter, or what is wrong with it. */
export function tryFilter(text: string): { filter: Filter } | { error: NonNullable<Edit['error']> } {
  try {
    return { filter: parseFilter(text) };
  } catch (error) {
    const { position, problem } = error as { position: number; problem: string };
    return { error: { position, problem } };
  }
}

/**
 * What of a filter can be applied while it is typed, blanks in place of the rest: the word before the cursor may still
 * become the name of a field, and would be taken for that of a process until then.
 */
export function settledText({ text, cursor }: Edit): string {
  const chars = [...text];
  const [before, after] = [chars.slice(0, cursor).join(''), chars.slice(cursor).join('')];
  const [word = '', name = ''] = /(?<!\S)[!-]?([a-z]+)$/i.exec(before) ?? [];
  const isOpen = name !== '' && !/^\S/.test(after) && name.toLowerCase() !== 'local';
  if (!isOpen || !FILTER_FIELDS.some((field) => field.startsWith(name.toLowerCase()))) return text;
  return `${before.slice(0, before.length - word.length)}${' '.repeat(word.length)}${after}`;
}
