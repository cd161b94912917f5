import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyDecoder } from '../../../../src/ui/state/keys.js';

const decode = (text: string) => new KeyDecoder().push(text);

test.each([
  ['\u001b[A', 'up'],
  ['\u001bOA', 'up'],
  ['\u001b[5~', 'page-up'],
  ['\u001b[H', 'home'],
  ['\u001bOF', 'end'],
  ['\u001b[Z', 'back-tab'],
  ['\t', 'tab'],
  ['\r', 'enter'],
  ['\u007f', 'backspace'],
  ['\u0003', 'ctrl-c'],
  ['\u001a', 'ctrl-z'],
  ['q', { char: 'q' }],
  ['ö', { char: 'ö' }],
  ['😀', { char: '😀' }],
])('%j', (text, key) => expect(decode(text)).toEqual([key]));

describe('an escape', () => {
  test('waits for what belongs to it, byte by byte', () => {
    const decoder = new KeyDecoder();
    expect(decoder.push('\u001b')).toEqual([]);
    expect(decoder.isWaiting).toBe(true);
    expect(decoder.push('[')).toEqual([]);
    expect(decoder.push('6')).toEqual([]);
    expect(decoder.push('~j')).toEqual(['page-down', { char: 'j' }]);
    expect(decoder.isWaiting).toBe(false);
  });

  test('is itself when nothing follows', () => {
    const decoder = new KeyDecoder();
    decoder.push('\u001b');
    expect(decoder.flush()).toEqual(['escape']);
    expect(decoder.push('\u001b\u001b[A')).toEqual(['escape', 'up']);
    expect(decoder.push('\u001b!')).toEqual(['escape', { char: '!' }]);
  });

  test('with what we do not know is no key of ours', () => {
    expect(decode('\u001b[200~\u001b[1;5Cq')).toEqual([{ char: 'q' }]);
  });
});

test('in whatever pieces bytes come, the keys are the same', () => {
  const piece = fc.constantFrom('\u001b[A', '\u001bOB', '\u001b[6~', 'q', '/', '\r', 'µ', '\u001b[1;2C');
  fc.assert(
    fc.property(fc.array(piece), fc.infiniteStream(fc.integer({ min: 1, max: 4 })), (pieces, sizes) => {
      const text = pieces.join('');
      const decoder = new KeyDecoder();
      const keys = [];
      for (let at = 0; at < text.length; ) {
        const size = sizes.next().value ?? 1;
        keys.push(...decoder.push(text.slice(at, at + size)));
        at += size;
      }
      expect(keys).toEqual(decode(text));
    }),
  );
});

test('no bytes whatever upset it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const decoder = new KeyDecoder();
      decoder.push(text);
      decoder.flush();
      expect(decoder.isWaiting).toBe(false);
    }),
  );
});
