import type { ConnectionsDocument } from '../model/views/connections.js';
import { safeJson } from './clean.js';

/**
 * The document of `conns` around rows that are JSON already, in pieces to be written one after the other: of 40,000
 * rows no text is made anew. The native writer escapes what could steer a terminal, as safeJson does.
 */
export function connsJson(
  document: Omit<ConnectionsDocument, 'connections'>,
  rows: Uint8Array,
): (string | Uint8Array)[] {
  const { gaps, ...head } = document;
  return [`${safeJson(head, 0).slice(0, -1)},"connections":`, rows, `,"gaps":${safeJson(gaps, 0)}}\n`];
}
