import { width, wrap } from '../../report/layout.js';
import type { Line } from '../draw/spans.js';
import type { Edit, UiState } from '../state/state.js';
import type { Origin } from './header.js';
import type { Prepared, Scene } from './tab.js';

const PROMPT = ' filter: ';

/** The keys that help here, or the filter while it is typed and what is wrong with it: the same number of lines. */
export function footerLines(scene: Scene, prepared: Prepared, origin: Origin, hidden: number): Line[] {
  const { state, columns } = scene;
  if (state.edit) return editLines(state.edit, scene);
  const keys = keysLine(state, origin, columns, hidden);
  if (state.said) return saidLines(state.said, keys, columns);
  return state.ask ? askLines(state.ask, scene) : [statusLine(scene, prepared), keys];
}

/** Where a process is attached to: it must be one that runs here. */
export const canMigrate = ({ tab }: UiState, { canMigrate: can = false, replay }: Origin): boolean =>
  can && tab === 'user-space' && replay === undefined;

/** What became of it: where that is more than a line, the keys can wait. */
function saidLines({ text, isBad }: NonNullable<UiState['said']>, keys: Line, columns: number): Line[] {
  const lines = wrap(text, columns - 1).map((line): Line => [{ text: ` ${line}`, ink: isBad ? 'yellow' : 'bold' }]);
  return lines.length > 1 ? lines.slice(0, 2) : [...lines, keys];
}

/** What is to be confirmed, and how: the keys are seen on the narrowest screen too. */
function askLines({ back, key }: NonNullable<UiState['ask']>, { frame }: Scene): Line[] {
  const process = `${frame.processes.find(({ pid }) => String(pid) === key)?.comm ?? 'process'} ${key}`;
  const what = back
    ? `Detach from ${process}, all its connections back to the kernel?`
    : `Attach to ${process} and to who it talks to here, connections to memory?`;
  return [[{ text: ` ${what}`, ink: 'bold' }], [' y yes   any other key no']];
}

function statusLine({ frame, state }: Scene, { keys, sort }: Prepared): Line {
  const filter = state.filterText === '' ? 'none' : state.filterText;
  const matching = frame.totals?.matching ?? 0;
  const beyond = state.tab === 'connections' && matching > keys.length && keys.length > 0;
  return [
    { text: ` sorted by ${sort}`, ink: 'dim' },
    {
      text: beyond
        ? `, the first ${keys.length} of ${matching}`
        : `, ${keys.length} ${keys.length === 1 ? 'row' : 'rows'}`,
      ink: 'dim',
    },
    { text: `   filter: ${filter}`, ink: state.filterText === '' ? 'dim' : 'cyan' },
  ];
}

function keysLine(state: UiState, origin: Origin, columns: number, hidden: number): Line {
  const { replay } = origin;
  const player = replay ? 'space pause  left/right step  < > speed' : undefined;
  const migrating = canMigrate(state, origin) ? ['a attach', 'd detach'] : [];
  const keys =
    state.overlay === undefined
      ? [
          'q quit',
          '? help',
          ...migrating,
          '/ filter',
          's sort',
          'r reverse',
          'Enter detail',
          player ?? 'p pause',
          'Tab 1-6 view',
        ]
      : ['Esc back', hidden > 0 ? 'up/down more' : undefined, player ?? 'p pause', 'q quit'];
  return [{ text: cutAtWord(` ${keys.filter((key) => key !== undefined).join('   ')}`, columns), ink: 'dim' }];
}

/** Half a hint is worse than none. */
function cutAtWord(text: string, columns: number): string {
  return text.length <= columns ? text : text.slice(0, text.lastIndexOf('   ', columns - 1));
}

/** The end of a long filter is what is being typed: the window moves with the cursor. */
function windowOf({ text, cursor }: Edit, columns: number) {
  const room = Math.max(1, columns - PROMPT.length - 1);
  const from = Math.max(0, cursor - room);
  const shown = [...text].slice(from);
  return { from, text: shown.slice(0, room).join(''), before: shown.slice(0, cursor - from).join('') };
}

/** Where the cursor stands in the line of the filter, from 0. */
export const cursorColumn = (edit: Edit, columns: number): number =>
  Math.min(columns - 1, PROMPT.length + width(windowOf(edit, columns).before));

function editLines(edit: Edit, { columns }: Scene): Line[] {
  const { from, text } = windowOf(edit, columns);
  return [
    [{ text: PROMPT, ink: 'bold' }, text],
    edit.error === undefined
      ? [
          {
            text: ' Enter keep   Esc as before   Ctrl-U clear   pid:1 state:listen port:80,443 rtt>1ms !local nginx',
            ink: 'dim',
          },
        ]
      : errorLine(edit.error, from, columns),
  ];
}

/** The caret stands below what is wrong, as long as that leaves room for saying it. */
function errorLine({ position, problem }: NonNullable<Edit['error']>, from: number, columns: number): Line {
  const column = Math.max(0, PROMPT.length + position - from);
  const fits = column + 2 + problem.length <= columns;
  return [{ text: fits ? `${' '.repeat(column)}^ ${problem}` : ` column ${position + 1}: ${problem}`, ink: 'yellow' }];
}
