import type { Gap } from '../../../model/gap.js';

/** Gaps of one run: alike ones, as both readings meet them, are kept once. */
export class GapList {
  readonly #byKey = new Map<string, Gap>();

  add(...gaps: readonly Gap[]): void {
    for (const gap of gaps) {
      const key = JSON.stringify([gap.probe, gap.what, gap.reason]);
      const known = this.#byKey.get(key);
      if (!known || (gap.count ?? 1) > (known.count ?? 1)) this.#byKey.set(key, gap);
    }
  }

  /** Runs a probe; when it throws, that is a gap and the others go on. */
  async attempt<T>(probe: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.add({ probe, what: probe, reason: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }

  all(): Gap[] {
    return [...this.#byKey.values()];
  }
}
