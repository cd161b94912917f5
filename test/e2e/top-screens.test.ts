import { describe, expect, test } from 'vitest';
import { width } from '../../src/report/layout.js';
import { requireTool } from '../support/live.js';
import { golden, goldenNames, openRecording, SIZES, views } from '../support/recording.js';
import { TestTerminal } from '../support/tmux.js';

describe('the screen of a recording is what it was', () => {
  test.for(SIZES)('at %ix%i', async ([columns, rows], ctx) => {
    requireTool(ctx, 'tmux');
    const shown = await views(columns, rows);
    for (const [name, text] of shown) expect(text, name).toBe(golden(name));
    const size = `${columns}x${rows}-`;
    expect([...shown.keys()].sort()).toEqual(
      goldenNames()
        .filter((name) => name.startsWith(size))
        .sort(),
    );
  });

  test('and fits, says what is wrong in words, and has its known troubles in it', () => {
    for (const name of goldenNames()) {
      const [columns = 0, rows = 0] = name.split('-')[0]?.split('x').map(Number) ?? [];
      const lines = golden(name).replace(/\n$/, '').split('\n');
      expect(lines.length, name).toBeLessThanOrEqual(rows);
      for (const line of lines) expect(width(line), name).toBeLessThanOrEqual(columns);
    }
    const all = golden('200x60-connections');
    expect(all).toMatch(/ python3 .*10\.99\.0\.2:5000 +established .* congestion/);
    expect(all).toMatch(/ python3 .*10\.99\.0\.2:5001 +established .* receive-window/);
    expect(all).toMatch(/! python3 .*127\.0\.0\.1:8080 +0\.0\.0\.0:0 +listen +4 +5/);
    expect(golden('120x40-detail')).toMatch(/Peer +pingpong pid \d+ fd \d+ on this host/);
  });
});

test('every key does what the help says', async (ctx) => {
  requireTool(ctx, 'tmux');
  const terminal = new TestTerminal({ columns: 120, rows: 40 });
  const chosen = () => terminal.lines().find((line) => line.startsWith('>'));
  try {
    await openRecording(terminal, 3);
    const first = chosen();
    terminal.keys('Down');
    await terminal.see(() => chosen() !== first);
    const second = chosen()?.slice(1, 60);
    terminal.keys('r');
    await terminal.see('rate (smallest first)');
    terminal.keys('r', 'Home', 's');
    await terminal.see('sorted by tx');
    terminal.keys('S');
    await terminal.see('sorted by rate');
    expect(chosen()).toBe(first);
    terminal.keys('j');
    await terminal.see(() => chosen()?.slice(1, 60) === second);
    terminal.keys('Enter');
    await terminal.see(/^ Socket +cookie/m);
    terminal.keys('Right');
    await terminal.see(/REPLAY 4\/\d+/);
    expect(terminal.text()).toMatch(/^ Socket +cookie/m);
    terminal.keys('Escape');
    await terminal.see(() => chosen()?.slice(1, 40) === second?.slice(0, 39));
    for (const [keys, sign] of [
      [['Tab'], '[2 Processes]'],
      [['BTab'], '[1 Connections]'],
      [['6'], '[6 User space]'],
      [['?'], 'Ctrl-Z'],
      [['?'], '[6 User space]'],
      [['1', 'End'], '[1 Connections]'],
      [['Left'], /REPLAY 3\/\d+ PAUSED/],
      [['>'], /REPLAY 3/],
      [[']'], /REPLAY (\d+)\/\1, the end/],
      [['['], /REPLAY 1\//],
      [['Space'], /REPLAY \d+\/\d+(, the end)? x2/],
    ] as const) {
      terminal.keys(...keys);
      await terminal.see(sign);
    }
  } finally {
    terminal.close();
  }
});

test('a filter shows what is wrong with it while it is typed, and Esc restores the one before', async (ctx) => {
  requireTool(ctx, 'tmux');
  const terminal = new TestTerminal({ columns: 100, rows: 24 });
  try {
    await openRecording(terminal, 3, '--filter state:listen');
    await terminal.see('filter: state:listen');
    const before = terminal.text();
    terminal.keys('/', 'C-u');
    terminal.type('port:8080 state:estb');
    await terminal.see(/ +\^ there is no state "estb"; did you mean estab/);
    const lines = terminal.lines();
    expect(lines.at(-1)?.indexOf('^')).toBe(lines.at(-2)?.indexOf('estb'));
    expect(terminal.modes()).toBe('1 1 0'); // the cursor shows where it is typed
    terminal.keys('Enter');
    await terminal.see('there is no state');
    terminal.keys('Escape');
    expect(await terminal.see((text) => text === before)).toBe(before);
    terminal.keys('/', 'C-w');
    terminal.type('port:8080');
    terminal.keys('Enter');
    await terminal.see(/filter: port:8080$/m);
    for (const line of terminal.lines().slice(5, -2)) if (line !== '') expect(line).toContain(':8080');
  } finally {
    terminal.close();
  }
});
