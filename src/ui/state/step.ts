import type { Key } from './keys.js';
import { type Edit, settledText, TABS, type TabId, type TabState, tryFilter, type UiState } from './state.js';

/** What a key asks for beyond another state of the screen. */
export type Effect =
  | 'quit'
  | 'interrupt'
  | 'suspend'
  | 'redraw'
  | { migrate: { pid: number; back: boolean } }
  | { replay: 'pause' | 'back' | 'forward' | 'slower' | 'faster' | 'start' | 'end' };

/** What the keys act on. */
export interface Context {
  /** Keys of the rows of the tab that is open. */
  rows: readonly string[];
  /** Rows that are shown at once. */
  page: number;
  /** Names to sort by. */
  sorts: number;
  /** Lines of the overlay that do not fit. */
  hidden: number;
  isReplay: boolean;
  /** Processes can be attached to and detached from here. */
  canMigrate: boolean;
}

export interface Step {
  state: UiState;
  effect?: Effect;
}

/** What one key does. */
export function step(before: UiState, key: Key, context: Context): Step {
  const { said: _, ...state } = before;
  if (key === 'ctrl-c') return { state, effect: 'interrupt' };
  if (key === 'ctrl-z') return { state, effect: 'suspend' };
  if (key === 'ctrl-l') return { state, effect: 'redraw' };
  if (state.edit) return { state: edited(state, state.edit, key) };
  const char = typeof key === 'object' ? key.char : undefined;
  if (state.ask) return answered(state, state.ask, char);
  if (char === 'q') return { state, effect: 'quit' };
  const replay = context.isReplay ? replayed(key, char) : undefined;
  if (replay !== undefined) return { state, effect: { replay } };
  if (state.overlay) return { state: inOverlay(state, key, char, context) };
  if (context.canMigrate && (char === 'a' || char === 'd')) return { state: asking(state, char === 'd', context.rows) };
  return { state: inTable(state, key, char, context) };
}

/** About the chosen process. */
function asking(state: UiState, back: boolean, rows: readonly string[]): UiState {
  const key = rows[indexOf(state.tabs[state.tab], rows)];
  return key === undefined ? state : { ...state, ask: { back, key } };
}

/** Anything but a yes is a no. */
function answered(state: UiState, { back, key }: NonNullable<UiState['ask']>, char: string | undefined): Step {
  const { ask: _, ...rest } = state;
  return char === 'y' ? { state: rest, effect: { migrate: { pid: Number(key), back } } } : { state: rest };
}

function replayed(key: Key, char: string | undefined) {
  if (key === 'left') return 'back';
  if (key === 'right') return 'forward';
  if (char === ' ' || char === 'p') return 'pause';
  if (char === '<') return 'slower';
  if (char === '>') return 'faster';
  if (char === '[') return 'start';
  return char === ']' ? 'end' : undefined;
}

function inOverlay(state: UiState, key: Key, char: string | undefined, context: Context): UiState {
  const { overlay, ...rest } = state;
  const isOpener = (overlay?.kind === 'help' && char === '?') || (overlay?.kind === 'gaps' && char === '!');
  if (key === 'escape' || key === 'enter' || key === 'backspace' || isOpener) return { ...rest, scrolled: 0 };
  const by = moveOf(key, char, context.page);
  if (by !== undefined) {
    const scrolled = Math.min(Math.max(0, context.hidden), Math.max(0, state.scrolled + by));
    return { ...state, scrolled };
  }
  return common(state, key, char);
}

function inTable(state: UiState, key: Key, char: string | undefined, context: Context): UiState {
  const by = moveOf(key, char, context.page);
  if (by !== undefined) return moved(state, by, context.rows);
  if (key === 'enter') return opened(state, context.rows);
  const tab = state.tabs[state.tab];
  if (char === 's') return withTab(state, { ...tab, sort: (tab.sort + 1) % Math.max(1, context.sorts) });
  if (char === 'S') {
    const sort = (tab.sort + Math.max(1, context.sorts) - 1) % Math.max(1, context.sorts);
    return withTab(state, { ...tab, sort });
  }
  if (char === 'r') return withTab(state, { ...tab, reverse: !tab.reverse });
  return common(state, key, char);
}

function common(state: UiState, key: Key, char: string | undefined): UiState {
  if (key === 'tab' || key === 'right') return tabAt(state, TABS.indexOf(state.tab) + 1);
  if (key === 'back-tab' || key === 'left') return tabAt(state, TABS.indexOf(state.tab) - 1);
  if (char !== undefined && /^[1-6]$/.test(char)) return tabAt(state, Number(char) - 1);
  if (char === 'p' || char === ' ') return { ...state, paused: !state.paused };
  if (char === '?' || char === 'h') return { ...state, overlay: { kind: 'help' }, scrolled: 0 };
  if (char === '!') return { ...state, overlay: { kind: 'gaps' }, scrolled: 0 };
  if (char === '/') return startEdit(state);
  return state;
}

function startEdit(state: UiState): UiState {
  const { overlay: _, ...rest } = state;
  const text = state.filterText;
  return { ...rest, scrolled: 0, edit: { text, cursor: [...text].length } };
}

/** Rows to move by; infinite for the beginning and the end. */
function moveOf(key: Key, char: string | undefined, page: number): number | undefined {
  if (key === 'up' || char === 'k') return -1;
  if (key === 'down' || char === 'j') return 1;
  if (key === 'page-up' || key === 'ctrl-b') return -Math.max(1, page - 1);
  if (key === 'page-down' || key === 'ctrl-f') return Math.max(1, page - 1);
  if (key === 'home' || char === 'g') return Number.NEGATIVE_INFINITY;
  return key === 'end' || char === 'G' ? Number.POSITIVE_INFINITY : undefined;
}

function moved(state: UiState, by: number, rows: readonly string[]): UiState {
  const tab = state.tabs[state.tab];
  const index = Math.min(rows.length - 1, Math.max(0, indexOf(tab, rows) + by));
  const { selected: _, ...rest } = tab;
  const selected = rows[index];
  // At the very top nobody has chosen a row: the first is meant, whatever it will be.
  const first = by === Number.NEGATIVE_INFINITY || selected === undefined;
  return withTab(state, { ...rest, index: Math.max(0, index), ...(first ? {} : { selected }) });
}

/** Where the chosen row is now; when it is gone, what took its place. */
export function indexOf({ selected, index }: TabState, rows: readonly string[]): number {
  const at = selected === undefined ? 0 : rows.indexOf(selected);
  return at === -1 ? Math.max(0, Math.min(index, rows.length - 1)) : at;
}

function opened(state: UiState, rows: readonly string[]): UiState {
  const key = rows[indexOf(state.tabs[state.tab], rows)];
  return key === undefined ? state : { ...state, overlay: { kind: 'detail', key }, scrolled: 0 };
}

function tabAt(state: UiState, index: number): UiState {
  const { overlay: _, ...rest } = state;
  return { ...rest, scrolled: 0, tab: TABS[(index + TABS.length) % TABS.length] as TabId };
}

const withTab = (state: UiState, tab: TabState): UiState => ({
  ...state,
  tabs: { ...state.tabs, [state.tab]: tab },
});

/** Typing a filter: what can be read so far is applied at once, what cannot is explained. */
function edited(state: UiState, edit: Edit, key: Key): UiState {
  const { edit: _, ...closed } = state;
  if (key === 'escape') return { ...closed, ...applied(state.filterText) };
  if (key === 'enter') {
    const result = tryFilter(edit.text);
    if ('error' in result) return { ...state, edit: { ...edit, error: result.error } };
    return { ...closed, filter: result.filter, filterText: edit.text.trim() };
  }
  const next = typed(edit, key);
  const result = tryFilter(settledText(next));
  if ('filter' in result) return { ...state, filter: result.filter, edit: next };
  return { ...state, edit: { ...next, error: result.error } };
}

function applied(text: string): Pick<UiState, 'filter'> {
  const result = tryFilter(text);
  return { filter: 'filter' in result ? result.filter : [] };
}

function typed({ text, cursor }: Edit, key: Key): Edit {
  const chars = [...text];
  const without = (from: number, to: number) => [...chars.slice(0, from), ...chars.slice(to)].join('');
  if (typeof key === 'object')
    return { text: [...chars.slice(0, cursor), key.char, ...chars.slice(cursor)].join(''), cursor: cursor + 1 };
  if (key === 'left') return { text, cursor: Math.max(0, cursor - 1) };
  if (key === 'right') return { text, cursor: Math.min(chars.length, cursor + 1) };
  if (key === 'home' || key === 'ctrl-a') return { text, cursor: 0 };
  if (key === 'end' || key === 'ctrl-e') return { text, cursor: chars.length };
  if (key === 'backspace' && cursor > 0) return { text: without(cursor - 1, cursor), cursor: cursor - 1 };
  if (key === 'delete') return { text: without(cursor, cursor + 1), cursor };
  if (key === 'ctrl-u') return { text: without(0, cursor), cursor: 0 };
  if (key === 'ctrl-k') return { text: without(cursor, chars.length), cursor };
  if (key === 'ctrl-w') {
    const start = chars
      .slice(0, cursor)
      .join('')
      .replace(/\S+\s*$/, '').length;
    return { text: without(start, cursor), cursor: start };
  }
  return { text, cursor };
}
