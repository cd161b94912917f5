import type { Frame } from '../../model/views/frame.js';

/** What sockdoc itself costs, from one frame to the next: reading, drawing, and everything else of this process. */
export class Cost {
  #before: { atMs: number; cpuUs: number } | undefined;

  /** `beganMs`: when the reading of this frame began, in time of performance.now(). */
  of(beganMs: number): Frame['self'] {
    const { user, system } = process.cpuUsage();
    const now = { atMs: performance.now(), cpuUs: user + system };
    const before = this.#before;
    this.#before = now;
    const elapsedMs = before === undefined ? 0 : now.atMs - before.atMs;
    return {
      ...(before === undefined || elapsedMs <= 0 ? {} : { cpuShare: (now.cpuUs - before.cpuUs) / 1000 / elapsedMs }),
      memoryBytes: process.memoryUsage.rss(),
      readMs: now.atMs - beganMs,
    };
  }
}
