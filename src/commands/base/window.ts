import { Flags } from '@oclif/core';
import { windowOf } from './numbers.js';

export const DEFAULT_WINDOW_MS = 1000;

/** --window of every command that reads twice unless told otherwise. */
export const windowFlag = Flags.custom<number>({
  description: `Milliseconds between the two readings; 0 reads once. [default: ${DEFAULT_WINDOW_MS}]`,
  helpValue: 'MS',
  parse: (text) => Promise.resolve(windowOf(text)),
})();
