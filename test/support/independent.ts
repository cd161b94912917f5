import type { Netns } from './live.js';

/**
 * Readings that owe nothing to sockdoc, to hold its numbers against: nstat, ss and /proc inside a namespace.
 */
export async function nstat(ns: Netns): Promise<Record<string, number>> {
  const answer = JSON.parse(await ns.run('nstat', '-a', '-s', '-z', '-j')) as { kernel: Record<string, number> };
  return answer.kernel;
}

/** A line of `ss -H`: receive queue (listener: waiting), send queue (listener: backlog), and what else it printed. */
export interface SsRow {
  state: string;
  receive: number;
  send: number;
  local: string;
  remote: string;
  rest: string;
}

/** `ss(ns, '-ltn')`, `ss(ns, '-tim', 'state', 'established')`; each socket on one line (-O). */
export async function ss(ns: Netns, ...args: string[]): Promise<SsRow[]> {
  const text = await ns.run('ss', '-H', '-O', '-n', ...args);
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => parse(line, args.includes('state')));
}

/** With a single `state` in the filter ss leaves the column out. */
function parse(line: string, withoutState: boolean): SsRow {
  const words = line.trim().split(/\s+/);
  const state = withoutState ? '' : (words.shift() ?? '');
  const [receive, send, local = '', remote = '', ...rest] = words;
  return { state, receive: Number(receive), send: Number(send), local, remote, rest: rest.join(' ') };
}

/** A number that ss prints as KEY:NUMBER or, in skmem, as a letter before it (`d12`). */
export function ssNumber(row: SsRow, key: string): number | undefined {
  const found = new RegExp(`(?:^|[\\s(,])${key}:?(\\d+(?:\\.\\d+)?)`).exec(row.rest);
  return found ? Number(found[1]) : undefined;
}
