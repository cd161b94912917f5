import type { FilterField } from '../model/views/filter.js';
import { nearest } from '../support/nearest.js';
import { FilterError } from './error.js';
import { STATE_ALIASES } from './fields.js';

/** One of the words that a field can have, or the beginning of some with a *. */
export function wordOf(text: string, position: number, field: FilterField, words: readonly string[]): string {
  const plain = text.toLowerCase();
  const word = field === 'state' && Object.hasOwn(STATE_ALIASES, plain) ? (STATE_ALIASES[plain] ?? plain) : plain;
  if (words.includes(word)) return word;
  if (word.endsWith('*') && words.some((known) => known.startsWith(word.slice(0, -1)))) return word;
  const like = nearest(word, field === 'state' ? [...words, ...Object.keys(STATE_ALIASES)] : words);
  const hint = like.length > 0 ? `did you mean ${like.join(', ')}?` : `there are: ${words.join(', ')}`;
  throw new FilterError(position, `there is no ${field} "${text}"; ${hint}`);
}
