import type { Result } from '../../model/results.js';
import type { Snapshot } from '../../model/snapshot/index.js';
import type { Target } from '../diagnose/options.js';

interface TakeOptions {
  target: Target;
  windowMs: number;
  snapshot?: string;
  signal: AbortSignal;
}

interface Taken {
  snapshot: Snapshot;
  sampling?: { forMs: number; windows: number };
}

/** This host now, or the file that --snapshot names. */
export async function takeSnapshot({ target, windowMs, snapshot, signal }: TakeOptions): Promise<Taken> {
  if (snapshot === undefined) {
    const { collect } = await import('../diagnose/collect.js');
    return { snapshot: await collect({ target, windowMs, signal }) };
  }
  const { loadSnapshot } = await import('../snapshot/load.js');
  return { snapshot: loadSnapshot(snapshot) };
}

/**
 * One window after the other; keeps the one that looks worst, so that trouble that comes and goes is seen. Stopped
 * early, it ends with what it has seen: whoever watched for an hour must not lose the hour.
 */
export async function takeWorst(
  { target, windowMs, signal }: TakeOptions,
  forMs: number,
  judged: (snapshot: Snapshot) => Result[],
): Promise<Taken> {
  const { collect } = await import('../diagnose/collect.js');
  const start = performance.now();
  const end = start + forMs;
  let worst: { snapshot: Snapshot; badness: number } | undefined;
  let windows = 0;
  do {
    const snapshot = await collect({ target, windowMs, signal }).catch((error) => {
      if (worst && signal.aborted) return undefined;
      throw error;
    });
    if (snapshot === undefined) break;
    const badness = badnessOf(judged(snapshot));
    windows++;
    if (!worst || badness > worst.badness) worst = { snapshot, badness };
  } while (!signal.aborted && performance.now() + windowMs <= end);
  if (!worst) throw signal.reason;
  const lasted = signal.aborted ? Math.round(performance.now() - start) : forMs;
  return { snapshot: worst.snapshot, sampling: { forMs: lasted, windows } };
}

/** One failure outweighs any number of warnings, one warning any number of notes. */
function badnessOf(results: readonly Result[]): number {
  const count = (status: Result['status']) => results.filter((r) => r.status === status && !r.suppressed).length;
  return count('fail') * 1e6 + count('warn') * 1e3 + count('info');
}
