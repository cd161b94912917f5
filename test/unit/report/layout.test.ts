import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shorten, width, wrap } from '../../../src/report/layout.js';

test('wraps at spaces and indents what follows', () => {
  expect(wrap('one two three four', 12, 'Do  ')).toEqual(['Do  one two', '    three', '    four']);
  expect(wrap('one two', undefined, 'Do  ')).toEqual(['Do  one two']);
  expect(wrap('', 10, '- ')).toEqual(['- ']);
});

test('counts columns as a terminal does', () => {
  expect(width('abc')).toBe(3);
  expect(width('大小')).toBe(4);
  expect(width('e\u0301')).toBe(1);
  expect(wrap('大小大小', 5)).toEqual(['大小', '大小']);
});

test('no line is ever wider than asked for, and no text is lost', () => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '大', '-', 'ü') });
  fc.assert(
    fc.property(texts, fc.integer({ min: 8, max: 40 }), fc.constantFrom('', '- ', '   '), (text, columns, first) => {
      const lines = wrap(text, columns, first);
      for (const line of lines) expect(width(line)).toBeLessThanOrEqual(columns);
      expect(lines.join('').replaceAll(' ', '')).toBe((first + text).replaceAll(' ', ''));
    }),
  );
});

test('a text that is too long loses its middle', () => {
  expect(shorten('postgres-writer', 9, '…')).toBe('post…iter');
  expect(shorten('short', 9, '…')).toBe('short');
  expect(shorten('大小大小', 5, '…')).toBe('大…小');
  expect(shorten('abc', 1, '…')).toBe('…');
  expect(shorten('abc', 0, '…')).toBe('');
});
