/** A key by its name, or a character that was typed. */
export type Key =
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'page-up'
  | 'page-down'
  | 'home'
  | 'end'
  | 'delete'
  | 'enter'
  | 'tab'
  | 'back-tab'
  | 'backspace'
  | 'escape'
  | `ctrl-${string}`
  | { char: string };

const SEQUENCES: Readonly<Record<string, Key>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  Z: 'back-tab',
  '1~': 'home',
  '3~': 'delete',
  '4~': 'end',
  '5~': 'page-up',
  '6~': 'page-down',
  '7~': 'home',
  '8~': 'end',
};

const CONTROLS: Readonly<Record<number, Key>> = {
  8: 'backspace',
  9: 'tab',
  10: 'enter',
  13: 'enter',
  127: 'backspace',
};
const ESCAPE = '\u001b';

/**
 * Takes apart what a terminal sends. The bytes of one key may come in pieces over a slow line, so that an escape at the
 * end waits for what follows; `flush` says that nothing did.
 */
export class KeyDecoder {
  #pending = '';

  push(text: string): Key[] {
    this.#pending += text;
    const keys: Key[] = [];
    while (this.#pending !== '') {
      const taken = takeOne(this.#pending);
      if (taken === undefined) break;
      this.#pending = this.#pending.slice(taken.length);
      if (taken.key !== undefined) keys.push(taken.key);
    }
    return keys;
  }

  get isWaiting(): boolean {
    return this.#pending !== '';
  }

  /** An escape that nothing followed is the key itself; the rest of a sequence that never came is dropped. */
  flush(): Key[] {
    const isKey = this.#pending === ESCAPE;
    this.#pending = '';
    return isKey ? ['escape'] : [];
  }
}

function takeOne(text: string): { length: number; key?: Key } | undefined {
  if (text[0] === ESCAPE) return takeSequence(text);
  const char = String.fromCodePoint(text.codePointAt(0) ?? 0);
  const code = char.codePointAt(0) ?? 0;
  const control = CONTROLS[code];
  if (control !== undefined) return { length: 1, key: control };
  if (code < 32) return { length: 1, key: `ctrl-${String.fromCharCode(code + 96)}` };
  return { length: char.length, key: { char } };
}

function takeSequence(text: string): { length: number; key?: Key } | undefined {
  if (text.length === 1) return undefined;
  // Alt with a key sends the same as Esc and then the key; none of ours has Alt.
  if (text[1] !== '[' && text[1] !== 'O') return { length: 1, key: 'escape' };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
  const whole = /^\u001b(?:\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]|O[\x40-\x7e])/.exec(text)?.[0];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the same, not yet complete
  if (whole === undefined) return /^\u001b(?:\[[\x20-\x3f]*|O)$/.test(text) ? undefined : { length: 2 };
  const key = SEQUENCES[whole.slice(2)];
  return { length: whole.length, ...(key === undefined ? {} : { key }) };
}
