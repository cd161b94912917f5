import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { ConnectionRow, ConnectionsDocument } from '../../src/model/views/connections.js';
import type { Netns } from './live.js';
import { expectValid } from './schemas.js';

const entry = process.env.SOCKDOC_ENTRY ?? fileURLToPath(new URL('../../bin/run.js', import.meta.url));

/** The start of a command line that runs sockdoc inside the namespace, as another user where `as` is given. */
export function sockdocIn(ns: Netns, { as }: { as?: number } = {}): string[] {
  const user = as === undefined ? [] : ['setpriv', `--reuid=${as}`, `--regid=${as}`, '--clear-groups'];
  return ['ip', 'netns', 'exec', ns.name, ...user, process.execPath, entry];
}

/** `sockdoc conns --json ARGS` inside the namespace; the document is what its schema says. */
export async function conns(
  ns: Netns,
  args: readonly string[] = [],
  options: { as?: number } = {},
): Promise<ConnectionsDocument> {
  const [file, ...rest] = [...sockdocIn(ns, options), 'conns', '--json', ...args] as [string, ...string[]];
  const { stdout } = await execa(file, rest, { stdin: 'ignore' });
  const document = JSON.parse(stdout) as ConnectionsDocument;
  await expectValid('conns', document);
  return document;
}

/** The row of this local address and port. */
export const rowOf = (document: ConnectionsDocument, local: string): ConnectionRow | undefined =>
  document.connections.find((row) => row.local === local);
