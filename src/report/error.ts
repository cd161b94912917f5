import type { ErrorDocument } from '../model/error.js';
import type { SockdocError } from '../support/errors.js';
import { ascii, cleanLines, safeJson } from './clean.js';

interface Options {
  /** With spaces, "tune verify"; "" when no command was recognised. */
  command: string;
  unicode: boolean;
}

/** The error for people: what happened, then what to do, each on lines of its own. */
export function errorText(error: SockdocError, { command, unicode }: Options): string {
  const head = command === '' ? 'sockdoc' : `sockdoc ${command}`;
  const [first = '', ...rest] = cleanLines(error.message);
  const next = error.next === undefined ? [] : cleanLines(error.next);
  const lines = [`${head}: ${first}`, ...[...rest, ...next].map((line) => `  ${line}`)];
  return `${unicode ? lines.join('\n') : ascii(lines.join('\n'))}\n`;
}

/** The error for programs, on one line: it may end a stream of documents, one per line. */
export function errorJson(error: SockdocError, command: string): string {
  const document: ErrorDocument = {
    schemaVersion: 1,
    command,
    error: { code: error.code, kind: error.kind, message: error.message, next: error.next ?? null },
  };
  return `${safeJson(document, 0)}\n`;
}
