import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestTerminal } from './tmux.js';

export const FOLDER = fileURLToPath(new URL('../../fixtures/recordings/busy-namespace/', import.meta.url));
/** Real frames of a namespace with real traffic: test/record/top.record.ts made them. */
export const RECORDING = join(FOLDER, 'frames.ndjson.gz');

export const SIZES = [
  [60, 15],
  [80, 24],
  [120, 40],
  [200, 60],
] as const;

/** Opens the recording, stops it, and goes to this frame (from 1) by single steps, so that its graphs have all before it. */
export async function openRecording(terminal: TestTerminal, frame: number, flags = ''): Promise<void> {
  terminal.sockdoc(`top --replay ${RECORDING} ${flags}`);
  await terminal.see('REPLAY');
  terminal.keys('[');
  await terminal.see(/REPLAY 1\/\d+ PAUSED/);
  for (let at = 2; at <= frame; at++) {
    terminal.keys('Right');
    await terminal.see(new RegExp(`REPLAY ${at}/\\d+.* PAUSED`));
  }
}

/** The views that are compared, each by the keys that lead to it from the one before, and what shows that it is there. */
const VIEWS: readonly (readonly [name: string, keys: string[], there: RegExp])[] = [
  ['connections', [], /\[1 Connections\]/],
  ['filtered', ['/', 'state:established', 'Enter'], /filter: state:established/],
  ['detail', ['Down', 'Enter'], /^ Process +\S+ pid/m],
  ['processes', ['2'], /\[2 Proc/],
  ['scheduler', ['3'], /\[3 Sched/],
  ['descriptors', ['4'], /\[4 Desc/],
  ['nic', ['5'], /\[5 NIC\]/],
  ['user-space', ['6'], /\[6 User/],
  ['help', ['?'], /Keys/],
  ['gaps', ['Escape', '!'], /Not seen|Nothing was left/],
];

/** Every view at one size, by name. */
export async function views(columns: number, rows: number): Promise<Map<string, string>> {
  const terminal = new TestTerminal({ columns, rows });
  const shown = new Map<string, string>();
  try {
    await openRecording(terminal, 6);
    for (const [name, keys, there] of VIEWS) {
      const before = terminal.text();
      for (const key of keys) terminal.keys(key);
      const text = await terminal.see((now) => there.test(now) && (keys.length === 0 || now !== before));
      shown.set(`${columns}x${rows}-${name}`, await settled(terminal, text));
    }
    return shown;
  } finally {
    terminal.close();
  }
}

/** Several keys may be drawn one after the other: what stays is what is meant. */
async function settled(terminal: TestTerminal, first: string): Promise<string> {
  let last = first;
  for (let same = 0; same < 3; ) {
    await new Promise((resolve) => setTimeout(resolve, 70));
    const now = terminal.text();
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}

const GOLDEN = join(FOLDER, 'screens');

export const golden = (name: string): string => readFileSync(join(GOLDEN, `${name}.txt`), 'utf8');

export const goldenNames = (): string[] => readdirSync(GOLDEN).map((name) => name.replace(/\.txt$/, ''));

export async function writeGolden(): Promise<void> {
  rmSync(GOLDEN, { recursive: true, force: true });
  mkdirSync(GOLDEN, { recursive: true });
  for (const [columns, rows] of SIZES)
    for (const [name, text] of await views(columns, rows)) writeFileSync(join(GOLDEN, `${name}.txt`), text);
}
