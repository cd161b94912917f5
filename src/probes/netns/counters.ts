import type { FileProbe } from '../files.js';

const SNMP = '/proc/thread-self/net/snmp';
const NETSTAT = '/proc/thread-self/net/netstat';
const SNMP6 = '/proc/thread-self/net/snmp6';

/** Counters by the names of nstat(8). */
export const counters: FileProbe<Record<string, number>> = {
  name: 'counters',
  wants: { files: [SNMP, NETSTAT, SNMP6] },
  parse(found) {
    return {
      ...parsePaired(found.required(SNMP) ?? ''),
      ...parsePaired(found.required(NETSTAT) ?? ''),
      ...parseSnmp6(found.text(SNMP6) ?? ''), // absent without IPv6
    };
  },
};

/**
 * snmp and netstat: a line of names and a line of values per protocol, both beginning with "Proto:". A kernel may
 * have more names than values or the other way around only if it is broken; what has no partner is left out.
 */
export function parsePaired(text: string): Record<string, number> {
  const values: Record<string, number> = {};
  const headers = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [prefix, ...words] = line.trim().split(/\s+/);
    if (!prefix?.endsWith(':')) continue;
    const names = headers.get(prefix);
    if (!names) {
      headers.set(prefix, words);
      continue;
    }
    headers.delete(prefix);
    for (const [at, name] of names.entries()) {
      const value = Number(words[at]);
      if (words[at] !== undefined && Number.isFinite(value)) values[prefix.slice(0, -1) + name] = value;
    }
  }
  return values;
}

/** snmp6: "Name value" lines. */
export function parseSnmp6(text: string): Record<string, number> {
  const values: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [name, value] = line.trim().split(/\s+/);
    if (name && value !== undefined && Number.isFinite(Number(value))) values[name] = Number(value);
  }
  return values;
}
