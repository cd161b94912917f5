import { readSettings } from '../../control/settings/read.js';
import { writeSetting } from '../../control/settings/write.js';
import { settingOf } from '../../model/tune/keys.js';
import type { Skipped } from '../../model/tune/results.js';
import { crashPoint } from './crash-point.js';
import type { Step } from './journal/entry.js';
import { reasonOf, sameSetting } from './values.js';

export interface Undone {
  reverted: { key: string; from: string; to: string }[];
  kept: Skipped[];
  /** Something of `kept` is ours, and could not be written back: worth another try. */
  failed: boolean;
}

interface Undoing {
  netns: string;
  reverted: Undone['reverted'];
  /** `retry`: it was ours to write back, and the kernel refused. */
  kept: (Skipped & { retry: boolean })[];
}

/** Takes steps back, the last one first. A value that is neither what was there before nor what we wrote is left alone. */
export async function undoSteps(steps: readonly Step[], netns: string): Promise<Undone> {
  const undoing: Undoing = { netns, reverted: [], kept: [] };
  const backwards = steps.toReversed();
  for (const step of backwards) await undoStep(step, undoing);
  // One setting may have hindered another, as two ends of a range do: those get a second try.
  const again = undoing.kept.filter(({ retry }) => retry).map(({ key }) => key);
  undoing.kept = undoing.kept.filter(({ retry }) => !retry);
  for (const step of backwards) if (again.some((key) => key in step.before)) await undoStep(step, undoing, again);
  return {
    reverted: undoing.reverted,
    kept: undoing.kept.map(({ key, reason }) => ({ key, reason })),
    failed: undoing.kept.some(({ retry }) => retry),
  };
}

/** First the row's own key; what the kernel had changed along with it may come back by itself then. */
async function undoStep({ row, before, after }: Step, undoing: Undoing, only?: readonly string[]): Promise<void> {
  const { netns, reverted, kept } = undoing;
  const coupled = Object.keys(before).filter(
    (key) => key !== row.key && (after === undefined || (after[key] !== undefined && after[key] !== before[key])),
  );
  for (const key of [row.key, ...coupled]) {
    if (only && !only.includes(key)) continue;
    const former = before[key] as string;
    const gone = await processGone(key, row.startTicks, netns);
    const reading = (await readSettings([key], netns)).get(key);
    if (gone || !reading || 'errno' in reading) {
      const errno = gone || !reading || !('errno' in reading) ? 'ESRCH' : reading.errno;
      kept.push({ key, reason: reasonOf(errno, row.kind), retry: false });
      continue;
    }
    if (sameSetting(key, reading.value, former)) continue;
    if (after !== undefined && !sameSetting(key, reading.value, after[key] as string)) {
      kept.push({
        key,
        retry: false,
        reason: `it is "${reading.value}" now, not the "${after[key]}" that tune wrote: somebody changed it since`,
      });
      continue;
    }
    const failure = await writeBack(key, former, netns);
    if (failure) kept.push({ key, reason: failure, retry: true });
    else reverted.push({ key, from: reading.value, to: former });
  }
}

/** A number of a process may have been given to another one since. */
async function processGone(key: string, startTicks: number | undefined, netns: string): Promise<boolean> {
  if (settingOf(key)?.kind !== 'limit' || startTicks === undefined) return false;
  const reading = (await readSettings([key], netns)).get(key);
  return reading !== undefined && 'startTicks' in reading && reading.startTicks !== startTicks;
}

/** Writes and reads again; what went wrong, in words. */
async function writeBack(key: string, value: string, netns: string): Promise<string | undefined> {
  const kind = settingOf(key)?.kind ?? 'sysctl';
  crashPoint();
  const answer = await writeSetting(key, value, netns);
  crashPoint();
  if (answer.errno !== undefined) return reasonOf(answer.errno, kind);
  const reading = (await readSettings([key], netns)).get(key);
  if (reading && 'value' in reading && sameSetting(key, reading.value, value)) return undefined;
  return `"${value}" was written, and it is ${reading && 'value' in reading ? `"${reading.value}"` : 'not readable'}`;
}
