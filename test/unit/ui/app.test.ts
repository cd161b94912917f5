import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { InkScreen } from '../../../src/ui/app.js';

const [INVERSE, RESET] = ['\u001b[7m', '\u001b[0m'];
const ink = new InkScreen();
afterAll(() => ink.close());

// biome-ignore lint/suspicious/noControlCharactersInRegex: our own marks, which take no room
const plain = (line: string) => line.replaceAll(/\u001b\[\d+m/g, '').trimEnd();

test('lines come back as they went in, whatever the frames before had', () => {
  const line = fc.constantFrom(
    '',
    'one',
    ' two  words ',
    'three…',
    '日本語 x',
    `${INVERSE}chosen  ${RESET}`,
    '# -> ▁▂█',
  );
  fc.assert(
    fc.property(fc.array(fc.array(line, { minLength: 3, maxLength: 6 }), { maxLength: 6 }), (frames) => {
      for (const lines of frames) expect(ink.layOut(lines, 30).map(plain)).toEqual(lines.map(plain));
    }),
  );
});

test('a chosen line keeps its blanks, so that it is inverse over its whole width', () => {
  const [line = ''] = ink.layOut([`${INVERSE}chosen  ${RESET}`], 30);
  expect(line).toContain('chosen  ');
  expect(line.startsWith(INVERSE)).toBe(true);
});

test('another width lays out the same lines anew', () => {
  for (const columns of [20, 5, 20, 5]) {
    const lines = ['0123456789'.slice(0, columns), 'abc'];
    expect(ink.layOut(lines, columns).map(plain)).toEqual(lines);
  }
});
