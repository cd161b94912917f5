import type { CheckDocument, FailOn, Format } from '../model/results.js';
import type { Terminal } from '../support/terminal.js';
import { safeJson } from './clean.js';

interface Options {
  format: Format;
  failOn: FailOn;
  verbose: boolean;
  terminal: Terminal;
}

/** Any document of `--json`. */
export const writeJson = (document: object): string => `${safeJson(document)}\n`;

/** The same on one line, without its end: what `--watch` prints at each reading. */
export const writeJsonLine = (document: object): string => safeJson(document, 0);

/** The answer of `check` in the format that was asked for; only that writer is loaded. */
export async function writeCheck(
  document: CheckDocument,
  { format, failOn, verbose, terminal }: Options,
): Promise<string> {
  switch (format) {
    case 'json':
      return writeJson(document);
    case 'sarif':
      return (await import('./sarif.js')).sarif(document);
    case 'junit':
      return (await import('./junit.js')).junit(document, failOn);
    case 'markdown':
      return (await import('./markdown.js')).markdown(document);
    case 'pretty':
      return (await import('./pretty/check.js')).prettyCheck(document, { ...terminal, verbose });
  }
}
