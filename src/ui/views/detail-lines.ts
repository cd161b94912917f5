import { wrap } from '../../report/layout.js';
import type { Ink } from '../../report/look.js';
import type { Line } from '../draw/spans.js';

const LABEL = 12;

/** "Label       text", continued below the text; nothing where there is nothing to say. */
export function labelled(label: string, text: string | undefined, columns: number, ink?: Ink): Line[] {
  if (text === undefined || text === '') return [];
  // A number and its unit stay together.
  const glued = text.replace(/(\d) (?=[%µa-zA-Z])/g, '$1\u00a0');
  const lines = wrap(glued, Math.max(10, columns - LABEL - 1)).map((line) => line.replaceAll('\u00a0', ' '));
  return lines.map((line, i) => [
    { text: ` ${(i === 0 ? label : '').padEnd(LABEL)}`, ink: 'dim' },
    { text: line, ink },
  ]);
}

/** What is known of several things, in one sentence. */
export const listed = (...parts: (string | false | undefined)[]): string | undefined => {
  const known = parts.filter((part) => part !== undefined && part !== false && part !== '');
  return known.length === 0 ? undefined : known.join(', ');
};

/** `text` around a value that may not be there. */
export const around = (before: string, value: string | number | undefined, after = ''): string | undefined =>
  value === undefined ? undefined : `${before}${value}${after}`;

export const heading = (text: string): Line => [{ text: ` ${text}`, ink: 'bold' }];
