import { Found } from '../../src/probes/files.js';
import type { FilesAnswer } from '../../src/probes/native.js';

/** What a parser gets, from texts given by path. */
export function foundOf(parts: Partial<FilesAnswer>): Found {
  return new Found(answerOf(parts), 'test');
}

export const answerOf = (parts: Partial<FilesAnswer>): FilesAnswer => ({
  files: {},
  links: {},
  paths: [],
  errors: {},
  gaps: [],
  ...parts,
});
