/**
 * Text from the host may hold anything: a process may call itself "\x1b]0;…", a file name may turn the direction of
 * writing. Whatever could steer a terminal or hide text is shown as an escape instead: C0, DEL, C1, directional marks,
 * zero-width characters, line and paragraph separators, lone surrogates.
 */
const STEERING = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\p{Surrogate}/gu;

/** One line of harmless text. */
export const clean = (text: string): string => text.replace(STEERING, escaped);

/** Paragraphs of ours may be several lines: line feeds stay. */
export const cleanLines = (text: string): string[] => text.split('\n').map(clean);

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** JSON with the same meaning in which nothing can steer the terminal that it is printed to. */
export function safeJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, undefined, indent).replace(
    /(?!\n)[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const PLAIN: Readonly<Record<string, string>> = {
  '–': '-',
  '—': '-',
  '−': '-',
  '‑': '-',
  '·': '-',
  '•': '*',
  '…': '...',
  '→': '->',
  '←': '<-',
  '↔': '<->',
  '≥': '>=',
  '≤': '<=',
  '≠': '!=',
  '≈': '~',
  '×': 'x',
  '÷': '/',
  µ: 'u',
  μ: 'u',
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '\u00a0': ' ',
  '✖': 'x',
  '▲': '!',
  '●': '*',
  '✔': '+',
  '─': '-',
};

/** For terminals that show ASCII only. */
export const ascii = (text: string): string =>
  text.replace(/\P{ASCII}/gu, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return PLAIN[char] ?? `\\u${code > 0xffff ? `{${code.toString(16)}}` : code.toString(16).padStart(4, '0')}`;
  });
