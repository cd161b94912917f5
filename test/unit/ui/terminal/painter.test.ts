import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Painter } from '../../../../src/ui/terminal/painter.js';
import { Emulated } from '../../../support/emulated-terminal.js';

const [INVERSE, RESET] = ['\u001b[7m', '\u001b[0m'];

describe('only what differs is written', () => {
  const lines = ['one', 'two', 'three'];

  test('nothing at all for the same lines', () => {
    const painter = new Painter();
    expect(painter.update(lines, 20, 3)).not.toBe('');
    expect(painter.update([...lines], 20, 3)).toBe('');
  });

  test('one line for one line that changed', () => {
    const painter = new Painter();
    painter.update(lines, 20, 3);
    const text = painter.update(['one', 'TWO', 'three'], 20, 3);
    expect(text).toBe('\u001b[?2026h\u001b[2;1HTWO\u001b[K\u001b[?2026l');
  });

  test('the cursor, where it is wanted, after the lines', () => {
    const painter = new Painter();
    painter.update(lines, 20, 3);
    expect(painter.update(lines, 20, 3, { row: 1, column: 2 })).toBe(
      '\u001b[?2026h\u001b[2;3H\u001b[?25h\u001b[?2026l',
    );
    expect(painter.update(lines, 20, 3, { row: 1, column: 2 })).toBe('');
    expect(painter.update(['ONE', 'two', 'three'], 20, 3, { row: 1, column: 2 })).toMatch(/ONE.*\[2;3H/);
    expect(painter.update(lines, 20, 3)).toContain('\u001b[?25l');
  });

  test('everything after another size, and when it was forgotten', () => {
    const painter = new Painter();
    painter.update(lines, 20, 3);
    expect(painter.update(lines, 21, 3)).toContain('\u001b[2J');
    painter.forget();
    expect(painter.update(lines, 21, 3)).toContain('three');
  });
});

test('whatever was shown before, the terminal then shows the lines, and never scrolls', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', ' ', `${INVERSE}c${RESET}`), maxLength: 9 });
  const frame = fc.array(line, { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 6 }), (frames) => {
      const painter = new Painter();
      const terminal = new Emulated(9, 4);
      for (const lines of frames) {
        terminal.write(painter.update(lines, 9, 4));
        expect(terminal.lines()).toEqual(
          lines.map((text) => text.replaceAll(INVERSE, '').replaceAll(RESET, '').trimEnd()),
        );
      }
    }),
  );
});
