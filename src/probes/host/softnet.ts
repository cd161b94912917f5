import type { Softnet } from '../../model/snapshot/index.js';
import type { FileProbe } from '../files.js';

const FILE = '/proc/thread-self/net/softnet_stat';
const STAT = '/proc/stat';

export const softnet: FileProbe<Softnet[]> = {
  name: 'softnet',
  wants: { files: [FILE, STAT] },
  parse(found) {
    const online = [...(found.text(STAT) ?? '').matchAll(/^cpu(\d+) /gm)].map((match) => Number(match[1]));
    return parseSoftnet(found.required(FILE) ?? '', online);
  },
};

/**
 * One line per online CPU, hexadecimal. Column 13 (Linux 5.10) is the CPU; before, the lines follow the online CPUs in
 * order. Columns 10, 11 and 12 came with RPS, flow limits (3.11) and 5.10.
 */
export function parseSoftnet(text: string, online: readonly number[]): Softnet[] {
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line, at) => {
      const column = line
        .trim()
        .split(/\s+/)
        .map((word) => Number.parseInt(word, 16));
      const [receivedRps, flowLimit, backlogLength, cpu] = column.slice(9);
      return {
        cpu: cpu ?? online[at] ?? at,
        processed: column[0] ?? 0,
        dropped: column[1] ?? 0,
        squeezed: column[2] ?? 0,
        ...(receivedRps !== undefined ? { receivedRps } : {}),
        ...(flowLimit !== undefined ? { flowLimit } : {}),
        ...(backlogLength !== undefined ? { backlogLength } : {}),
      };
    });
}
