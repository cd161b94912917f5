import type { Frame } from '../../model/views/frame.js';
import type { FrameRequest } from '../../model/views/request.js';
import { CONNECTION_SORTS } from '../../model/views/request.js';
import type { Look } from '../../report/look.js';
import { type Line, render } from '../draw/spans.js';
import { History } from '../state/history.js';
import { initialState, TABS } from '../state/state.js';
import { headerLines } from './header.js';
import type { Scene } from './tab.js';
import { tabs } from './tabs.js';

/** Rows of each table. */
const MOST = 20;
/** Without a terminal nobody limits the width; more than this is not read in one line. */
const DEFAULT_COLUMNS = 160;

/** One frame as text: what the tabs show, one below the other. */
export function frameText(frame: Frame, request: FrameRequest, look: Look): string {
  const columns = Math.max(40, look.columns ?? DEFAULT_COLUMNS);
  const state = initialState(request.filter);
  const sort = CONNECTION_SORTS.indexOf(request.sort);
  const sorted = { ...state.tabs, connections: { index: 0, sort, reverse: request.reverse } };
  const scene = (tab: (typeof TABS)[number]): Scene => ({
    frame,
    state: { ...state, tab, tabs: sorted },
    history: new History(),
    style: look,
    columns,
  });
  const header = headerLines(scene('connections'), { intervalMs: request.intervalMs }).slice(0, -1);
  const lines = [...header, ...TABS.flatMap((tab) => section(scene(tab)))];
  const gaps = frame.gaps.map(({ what, reason }): Line => [{ text: ` not seen: ${what}: ${reason}`, ink: 'yellow' }]);
  const all = [...lines, ...(gaps.length > 0 ? [[], ...gaps] : [])];
  return `${all.map((line) => render(line, columns, look).trimEnd()).join('\n')}\n`;
}

function section(scene: Scene): Line[] {
  const tab = tabs[scene.state.tab];
  const { above, head, keys, row, empty, sort } = tab.prepare(scene);
  const count = Math.min(MOST, keys.length);
  const more = keys.length > count ? `, the first ${count} of ${keys.length}` : '';
  return [
    [],
    [
      { text: ` ${tab.title.toUpperCase()}`, ink: 'bold' },
      { text: count > 0 ? ` by ${sort}${more}` : '', ink: 'dim' },
    ],
    ...above,
    ...(count === 0 ? [[`   ${empty}`]] : [head, ...Array.from({ length: count }, (_, i): Line => [' ', ...row(i)])]),
  ];
}
