import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ascii, clean, cleanLines, safeJson } from '../../../src/report/clean.js';
import { HOSTILE, isHarmless } from '../../support/document.js';

test('escapes are spelled out, ordinary text of any language stays', () => {
  expect(clean('\u001b[31mred\u0007')).toBe('\\x1b[31mred\\x07');
  expect(clean('a\tb\nc')).toBe('a\\x09b\\x0ac');
  expect(clean('\u009b0m \u202eevil \u200bhidden')).toBe('\\x9b0m \\u202eevil \\u200bhidden');
  expect(clean('\ud800')).toBe('\\ud800');
  expect(clean('größe 大小 → 1 µs')).toBe('größe 大小 → 1 µs');
  expect(cleanLines('one\ntwo\r')).toEqual(['one', 'two\\x0d']);
});

test('no text whatever can steer the terminal', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => isHarmless(clean(text))));
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => /^[\x20-\x7e]*$/.test(ascii(clean(text)))));
});

test('JSON keeps its meaning and loses what steers', () => {
  const text = safeJson({ [HOSTILE]: HOSTILE });
  expect(isHarmless(text)).toBe(true);
  expect(JSON.parse(text)).toEqual({ [HOSTILE]: HOSTILE });
});

test('a terminal without Unicode gets look-alikes', () => {
  expect(ascii('a → b ≥ 2 × 3 µs … “x” 大 😀')).toBe('a -> b >= 2 x 3 us ... "x" \\u5927 \\u{1f600}');
});
