/** What the reader's terminal can show. */
export interface Look {
  columns: number | undefined;
  colour: boolean;
  unicode: boolean;
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, inverse: 7 } as const;
export type Ink = keyof typeof CODES;

/** Lays our own colour on text that was cleaned before. */
export function paint(text: string, ink: Ink | undefined, { colour }: Pick<Look, 'colour'>): string {
  return colour && ink && text !== '' ? `\u001b[${CODES[ink]}m${text}\u001b[0m` : text;
}
