import type { Frame } from '../../model/views/frame.js';
import { type Line, render, type Style } from '../draw/spans.js';
import type { History } from '../state/history.js';
import type { UiState } from '../state/state.js';
import { type Context, indexOf } from '../state/step.js';
import { canMigrate, cursorColumn, footerLines } from './footer.js';
import { headerLines, type Origin } from './header.js';
import { overlayLines } from './overlays.js';
import type { Scene } from './tab.js';
import { tabs } from './tabs.js';

export const SMALLEST = { columns: 60, rows: 15 } as const;

interface Size {
  columns: number;
  rows: number;
}

export interface Shown {
  frame: Frame | undefined;
  state: UiState;
  history: History;
  style: Style;
  size: Size;
  origin: Origin;
}

export interface Screen {
  /** As they are written: never more, and never wider, than the terminal. */
  lines: string[];
  /** Where something is typed, from 0; otherwise no cursor is shown. */
  cursor?: { row: number; column: number };
  /** What the next key acts on. */
  context: Context;
}

/** The whole screen: a pure function of what was read and what was chosen. */
export function screenOf(shown: Shown): Screen {
  const { frame, size, style, state } = shown;
  const isReplay = shown.origin.replay !== undefined;
  const sorts = tabs[state.tab].sorts.length;
  const nothing: Context = { rows: [], page: 1, sorts, hidden: 0, isReplay, canMigrate: false };
  if (size.columns < SMALLEST.columns || size.rows < SMALLEST.rows)
    return { lines: filled([tooSmall(size)], size, style), context: nothing };
  if (frame === undefined) return { lines: filled([[' sockdoc top'], [' Reading …']], size, style), context: nothing };
  return withFrame({ ...shown, frame });
}

function withFrame({ frame, state, history, style, size, origin }: Shown & { frame: Frame }): Screen {
  const { columns, rows } = size;
  const scene: Scene = { frame, state, history, style, columns };
  const tab = tabs[state.tab];
  const prepared = tab.prepare(scene);
  const header = headerLines(scene, origin);
  const overlay = overlayLines(scene, prepared, origin);
  const room = rows - header.length - 2;
  const isReplay = origin.replay !== undefined;
  const above = prepared.above.slice(0, Math.max(0, Math.floor(room / 2)));
  const page = overlay ? room : room - above.length - 1;
  const hidden = overlay ? Math.max(0, overlay.length - room) : 0;
  const index = indexOf(state.tabs[state.tab], prepared.keys);
  const scrolled = Math.min(state.scrolled, hidden);
  const body = overlay
    ? overlay.slice(scrolled, scrolled + room).map((line) => render(line, columns, style))
    : [
        ...[...above, prepared.head].map((line) => render(line, columns, style)),
        ...tableRows(prepared, index, page).map(({ line, selected }) => render(line, columns, style, { selected })),
      ];
  const footer = footerLines(scene, prepared, origin, hidden);
  const lines = [
    ...header.map((line) => render(line, columns, style)),
    ...body,
    ...Array<string>(Math.max(0, room - body.length)).fill(''),
    ...footer.map((line) => render(line, columns, style)),
  ];
  const cursor = state.edit && { row: rows - 2, column: cursorColumn(state.edit, columns) };
  return {
    lines,
    ...(cursor ? { cursor } : {}),
    context: {
      rows: prepared.keys,
      page,
      sorts: tab.sorts.length,
      hidden,
      isReplay,
      canMigrate: canMigrate(state, origin),
    },
  };
}

/** The part of the rows with the chosen one in it; the first pages stay where they are while it moves in them. */
function tableRows(
  { keys, row, empty }: ReturnType<(typeof tabs)['nic']['prepare']>,
  index: number,
  page: number,
): { line: Line; selected: boolean }[] {
  if (keys.length === 0)
    return [
      { line: [], selected: false },
      { line: [`   ${empty}`], selected: false },
    ];
  const first = Math.max(0, Math.min(index - Math.floor(page / 2), keys.length - page));
  const count = Math.min(page, keys.length - first);
  return Array.from({ length: count }, (_, i) => {
    const selected = first + i === index;
    return { line: [selected ? '>' : ' ', ...row(first + i)], selected };
  });
}

const tooSmall = ({ columns, rows }: Size): Line => [
  `Please enlarge: ${columns}x${rows}, ${SMALLEST.columns}x${SMALLEST.rows} needed`,
];

function filled(lines: readonly Line[], { columns, rows }: Size, style: Style): string[] {
  const shown = lines.slice(0, rows).map((line) => render(line, columns, style));
  return [...shown, ...Array<string>(Math.max(0, rows - shown.length)).fill('')];
}
