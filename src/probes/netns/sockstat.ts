import type { FileProbe } from '../files.js';

const V4 = '/proc/thread-self/net/sockstat';
const V6 = '/proc/thread-self/net/sockstat6';

export const sockstat: FileProbe<Record<string, number>> = {
  name: 'sockstat',
  wants: { files: [V4, V6] },
  parse: (found) => ({ ...parseSockstat(found.required(V4) ?? ''), ...parseSockstat(found.text(V6) ?? '') }),
};

/** Lines "TCP: inuse 4 orphan 0": gives "TCP.inuse". */
export function parseSockstat(text: string): Record<string, number> {
  const values: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const words = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    for (let at = 0; at + 1 < words.length; at += 2) {
      const value = Number(words[at + 1]);
      if (Number.isInteger(value)) values[`${line.slice(0, colon)}.${words[at]}`] = value;
    }
  }
  return values;
}
