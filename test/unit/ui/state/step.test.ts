import { describe, expect, test } from 'vitest';
import { parseFilter } from '../../../../src/filter/parse.js';
import { type Key, KeyDecoder } from '../../../../src/ui/state/keys.js';
import { initialState, type UiState } from '../../../../src/ui/state/state.js';
import { type Context, indexOf, step } from '../../../../src/ui/state/step.js';

const rows = Array.from({ length: 50 }, (_, i) => `row${i}`);
const context: Context = { rows, page: 10, sorts: 3, hidden: 5, isReplay: false, canMigrate: false };

function typed(keys: readonly Key[] | string, from: UiState = initialState([]), parts: Partial<Context> = {}): UiState {
  const list = typeof keys === 'string' ? new KeyDecoder().push(keys) : keys;
  return list.reduce<UiState>((state, key) => step(state, key, { ...context, ...parts }).state, from);
}

const chosen = (state: UiState, keys = rows) => keys[indexOf(state.tabs[state.tab], keys)];

describe('moving', () => {
  test.each([
    [['down', 'down', 'up'], 'row1'],
    [['up'], 'row0'],
    [['page-down'], 'row9'],
    [['end'], 'row49'],
    [['end', 'page-up'], 'row40'],
    [['end', 'down'], 'row49'],
    [['end', 'home'], 'row0'],
  ] as [Key[], string][])('%j', (keys, row) => expect(chosen(typed(keys))).toBe(row));

  test('vi keys do the same', () => {
    expect(chosen(typed('jjjk'))).toBe('row2');
    expect(chosen(typed('Gkg'))).toBe('row0');
  });

  test('a chosen row is followed, the unchosen first is not', () => {
    const moved = rows.toReversed();
    expect(chosen(typed(['down']), moved)).toBe('row1');
    expect(chosen(typed([]), moved)).toBe('row49');
    expect(chosen(typed(['down', 'home']), moved)).toBe('row49');
  });

  test('when the chosen row is gone, what took its place is chosen', () => {
    const left = rows.filter((row) => row !== 'row3');
    expect(chosen(typed('jjj'), left)).toBe('row4');
    expect(chosen(typed('G'), rows.slice(0, 5))).toBe('row4');
  });

  test('without rows nothing happens', () => {
    const state = typed(['down', 'page-down', 'end', 'enter'], initialState([]), { rows: [] });
    expect(state.overlay).toBeUndefined();
    expect(state.tabs.connections.index).toBe(0);
  });
});

describe('tabs', () => {
  test.each([
    ['3', 'scheduler'],
    ['\t', 'processes'],
    ['\t\t\t\t\t\t', 'connections'],
    ['\u001b[Z', 'user-space'],
    ['6', 'user-space'],
  ])('%j', (keys, tab) => expect(typed(keys).tab).toBe(tab));

  test('each keeps its own row, order and direction', () => {
    const state = typed('jjsr2ss1');
    expect(state.tabs.connections).toMatchObject({ selected: 'row2', sort: 1, reverse: true });
    expect(state.tabs.processes).toMatchObject({ sort: 2, reverse: false });
    expect(typed('S').tabs.connections.sort).toBe(2);
    expect(typed('sss').tabs.connections.sort).toBe(0);
  });
});

describe('what lies over the table', () => {
  test('Enter shows the chosen row, and Esc leads back to it', () => {
    const open = typed('jj\r');
    expect(open.overlay).toEqual({ kind: 'detail', key: 'row2' });
    for (const key of ['escape', 'enter', 'backspace'] as const) {
      const back = typed([key], open);
      expect(back.overlay).toBeUndefined();
      expect(chosen(back)).toBe('row2');
    }
  });

  test('it scrolls as far as there is more, and no row moves meanwhile', () => {
    const state = typed(['page-down', 'page-down'], typed('?'));
    expect(state.scrolled).toBe(5);
    expect(chosen(state)).toBe('row0');
    expect(typed(['home'], state).scrolled).toBe(0);
  });

  test.each(['?', '!'])('%s opens and closes', (key) => {
    expect(typed(key).overlay).toBeDefined();
    expect(typed(key + key).overlay).toBeUndefined();
    expect(typed(`${key}2`)).toMatchObject({ tab: 'processes' });
    expect(typed(`${key}2`).overlay).toBeUndefined();
  });
});

describe('the filter', () => {
  test('is applied while it is typed, as far as it can be read', () => {
    const typing = typed('/pid:1');
    expect(typing.filter).toEqual(parseFilter('pid:1'));
    const wrong = typed('2x', typing);
    expect(wrong.filter).toEqual(parseFilter('pid:12'));
    expect(wrong.edit?.error).toMatchObject({ position: 4 });
    expect(wrong.edit?.error?.problem).toContain('whole number');
    expect(wrong.filterText).toBe('');
  });

  test('does not take the half-typed name of a field for that of a process', () => {
    for (const half of ['p', 'po', 'port', '!po', '-rt', 'STA', 'state']) {
      const { filter, edit } = typed(`/pid:1 ${half}`);
      expect(filter, half).toEqual(parseFilter('pid:1'));
      expect(edit?.error, half).toBeUndefined();
    }
    expect(typed('/pid:1 port:80').filter).toEqual(parseFilter('pid:1 port:80'));
    // No field begins so, the cursor is elsewhere, or it is said to be all.
    for (const [keys, text] of [
      ['pyt', 'pyt'],
      ['local', 'local'],
      ['po ', 'po'],
      ['po\u001b[D', 'po'],
      ['po\r', 'po'],
    ] as const)
      expect(typed(`/${keys}`).filter, keys).toEqual(parseFilter(text));
  });

  test('stays with Enter, once it can be read', () => {
    expect(typed('/prot:80\r').edit?.error).toBeDefined();
    const state = typed('/prot:80\u0017port:80\r');
    expect(state.edit).toBeUndefined();
    expect(state.filterText).toBe('port:80');
    expect(state.filter).toEqual(parseFilter('port:80'));
  });

  test('is restored by Esc', () => {
    const state = typed([...new KeyDecoder().push('/\u0015uid:7'), 'escape'], initialState(parseFilter('port:80')));
    expect(state.edit).toBeUndefined();
    expect(state.filter).toEqual(parseFilter('port:80'));
  });

  test('is edited in place', () => {
    const text = (keys: string) => typed(`/${keys}`).edit?.text;
    expect(text('ac\u001b[Db')).toBe('abc');
    expect(text('abc\u001b[H\u001b[3~')).toBe('bc');
    expect(text('abc\u0001x\u0005y')).toBe('xabcy');
    expect(text('ab\u007f\u007f\u007f')).toBe('');
    expect(text('pid:1 uid:2\u0017')).toBe('pid:1 ');
    expect(text('abc\u001b[D\u000b')).toBe('ab');
    expect(text('qj?1')).toBe('qj?1');
    expect(text('ä😀\u001b[D\u007f')).toBe('😀');
  });
});

describe('what the screen cannot do alone', () => {
  const effect = (key: Key, parts: Partial<Context> = {}) =>
    step(initialState([]), key, { ...context, ...parts }).effect;

  test('quit, interrupt, suspend, redraw', () => {
    expect(effect({ char: 'q' })).toBe('quit');
    expect(effect('ctrl-c')).toBe('interrupt');
    expect(effect('ctrl-z')).toBe('suspend');
    expect(effect('ctrl-l')).toBe('redraw');
  });

  test('Ctrl-C also while a filter is typed, q not', () => {
    const typing = typed('/');
    expect(step(typing, 'ctrl-c', context).effect).toBe('interrupt');
    expect(step(typing, { char: 'q' }, context).effect).toBeUndefined();
  });

  test('a recording has the keys of a player, the host has a pause', () => {
    expect(effect({ char: ' ' }, { isReplay: true })).toEqual({ replay: 'pause' });
    expect(effect('left', { isReplay: true })).toEqual({ replay: 'back' });
    expect(effect({ char: '>' }, { isReplay: true })).toEqual({ replay: 'faster' });
    expect(typed('p').paused).toBe(true);
    expect(typed('p ').paused).toBe(false);
  });
});

describe('attaching and detaching', () => {
  const pids = ['12', '34', '56'];
  const here = { rows: pids, canMigrate: true };
  const pressed = (keys: string) => {
    const all = new KeyDecoder().push(keys);
    const last = all.pop() as Key;
    return step(typed(all, initialState([]), here), last, { ...context, ...here });
  };

  test.each([
    ['jay', { migrate: { pid: 34, back: false } }],
    ['jdy', { migrate: { pid: 34, back: true } }],
  ])('%s: the chosen process, once it was confirmed', (keys, effect) => {
    expect(pressed(keys).effect).toEqual(effect);
    expect(pressed(keys).state.ask).toBeUndefined();
  });

  test.each(['an', 'aq', 'a\r', 'aj', 'dY', 'y', 'a y'])('%j: anything but a yes is a no', (keys) => {
    expect(pressed(keys).effect).toBeUndefined();
  });

  test('Ctrl-C at the question ends the screen', () => {
    expect(pressed('a\u0003').effect).toBe('interrupt');
  });

  test('not where nothing can be attached to, and not without a row', () => {
    expect(typed('a').ask).toBeUndefined();
    expect(typed('a', initialState([]), { rows: [], canMigrate: true }).ask).toBeUndefined();
  });

  test('what became of it is said until the next key', () => {
    const said = { ...initialState([]), said: { text: 'done', isBad: false } };
    expect(typed('j', said).said).toBeUndefined();
  });
});
