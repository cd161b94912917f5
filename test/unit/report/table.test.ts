import fc from 'fast-check';
import { expect, test } from 'vitest';
import { width } from '../../../src/report/layout.js';
import { type Column, tableLines } from '../../../src/report/table.js';

interface Row {
  name: string;
  state: string;
  bytes?: number;
}

const columns: Column<Row>[] = [
  { title: 'name', cell: (row) => row.name, priority: 0, min: 6 },
  { title: 'state', cell: (row) => ({ text: row.state, ink: 'red' }), priority: 1 },
  { title: 'bytes', cell: (row) => row.bytes, align: 'right', priority: 2 },
];
const rows: Row[] = [
  { name: 'a', state: 'listen', bytes: 5 },
  { name: 'a-long-name-indeed', state: 'close' },
];
const wide = { columns: undefined, colour: false, unicode: true };

test('without a limit everything stands in columns', () => {
  expect(tableLines(columns, rows, wide)).toEqual([
    'name                state   bytes',
    'a                   listen      5',
    'a-long-name-indeed  close',
  ]);
});

test('the least important columns go first, then names lose their middle', () => {
  expect(tableLines(columns, rows, { ...wide, columns: 30 })).toEqual([
    'name                state',
    'a                   listen',
    'a-long-name-indeed  close',
  ]);
  expect(tableLines(columns, rows, { ...wide, columns: 10 })).toEqual(['name', 'a', 'a-lon…deed']);
  expect(tableLines(columns, rows, { ...wide, columns: 10, unicode: false })[2]).toBe('a-lon~deed');
});

test('a column without values is left out, unless it always stays', () => {
  expect(tableLines(columns, [{ name: '', state: 'close' }], wide)).toEqual(['name  state', '      close']);
  expect(tableLines(columns, [], wide)).toEqual(['name']);
});

test('a longer cell than allowed is shortened even where there is room', () => {
  const narrow: Column<Row>[] = [{ title: 'name', cell: (row) => row.name, priority: 0, max: 8 }];
  expect(tableLines(narrow, rows, wide)).toEqual(['name', 'a', 'a-lo…eed']);
});

test('colour is laid on the text and takes no room; without colour there is none', () => {
  const [head, first] = tableLines(columns, rows, { ...wide, colour: true });
  expect(head).toBe('\u001b[1mname                state   bytes\u001b[0m');
  expect(first).toBe('a                   \u001b[31mlisten\u001b[0m      5');
  expect(tableLines(columns, rows, wide).join('')).not.toContain('\u001b');
});

test('nothing from outside can steer the terminal, and no line is wider than it', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', '-', '大', '\u001b', '\n', '\u202e', 'é', '\ud800'),
    maxLength: 50,
  });
  const row = fc.record({ name: text, state: text, bytes: fc.option(fc.nat(), { nil: undefined }) });
  fc.assert(
    fc.property(
      fc.array(row, { maxLength: 5 }),
      fc.integer({ min: 20, max: 90 }),
      fc.boolean(),
      (rows, room, unicode) => {
        for (const line of tableLines(columns, rows as Row[], { columns: room, colour: false, unicode })) {
          expect(width(line)).toBeLessThanOrEqual(room);
          expect(line).not.toMatch(/[\p{Cc}\u202e]|\p{Surrogate}/u);
          if (!unicode) expect(line).toMatch(/^[\x20-\x7e]*$/);
        }
      },
    ),
  );
});
