import { createHmac, randomBytes } from 'node:crypto';

/**
 * Answers that depend on a secret of this one run: the same input gives the same mask throughout a snapshot, and nobody
 * can try addresses or names out against it afterwards.
 */
export interface Keyed {
  /** One bit for a text. */
  bit(text: string): 0 | 1;
  /** Lower-case hexadecimal digits for a text. */
  hex(text: string, digits: number): string;
}

export function keyed(secret: Uint8Array = randomBytes(32)): Keyed {
  const bits = new Map<string, 0 | 1>();
  const digest = (text: string) => createHmac('sha256', secret).update(text).digest();
  return {
    bit(text) {
      let bit = bits.get(text);
      if (bit === undefined) {
        bit = ((digest(text)[0] ?? 0) & 1) as 0 | 1;
        bits.set(text, bit);
      }
      return bit;
    },
    hex: (text, digits) => digest(text).toString('hex').padEnd(digits, '0').slice(0, digits),
  };
}
