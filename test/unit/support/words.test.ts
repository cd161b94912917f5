import { expect, test } from 'vitest';
import { parseDuration } from '../../../src/support/duration.js';
import { nearest } from '../../../src/support/nearest.js';
import { terminalOf } from '../../../src/support/terminal.js';

test('a mistyped name finds those like it, and nothing far-fetched', () => {
  const names = ['listen-overflow', 'listen-drop', 'time-wait', 'tw-reuse', 'conntrack'];
  expect(nearest('listen-overflw', names)[0]).toBe('listen-overflow');
  expect(nearest('overflow', names)).toEqual(['listen-overflow']);
  expect(nearest('wait-time', names)[0]).toBe('time-wait');
  expect(nearest('xyzzy', names)).toEqual([]);
});

test('durations have a unit', () => {
  expect(['500ms', '90s', '10m', '1h', '1.5s'].map(parseDuration)).toEqual([500, 90_000, 600_000, 3_600_000, 1500]);
  expect(['10', '', '-1s', '5x', 's'].map(parseDuration)).toEqual(Array(5).fill(undefined));
});

test('colour needs a terminal, and its wishes are honoured', () => {
  const tty = { isTTY: true, columns: 100 };
  expect(terminalOf(tty, { LANG: 'C.UTF-8' })).toEqual({
    columns: 100,
    colour: true,
    unicode: true,
    interactive: true,
  });
  expect(terminalOf(tty, { NO_COLOR: '1' }).colour).toBe(false);
  expect(terminalOf(tty, { TERM: 'dumb' })).toMatchObject({ colour: false, interactive: false });
  expect(terminalOf({}, { FORCE_COLOR: '1' }).colour).toBe(true);
  expect(terminalOf(tty, { FORCE_COLOR: '0' }).colour).toBe(false);
  expect(terminalOf({}, {})).toEqual({ columns: undefined, colour: false, unicode: false, interactive: false });
  expect(terminalOf({}, { COLUMNS: '60' }).columns).toBe(60);
  expect(terminalOf(tty, { LC_ALL: 'C', LANG: 'en_US.UTF-8' }).unicode).toBe(false);
});
