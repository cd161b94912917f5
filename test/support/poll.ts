import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until the condition gives something truthy, and gives that. Tests wait for conditions, never for a fixed time:
 * the machine may be busy. `what` goes into the error.
 */
export async function poll<T>(
  what: string,
  condition: () => T | Promise<T>,
  { deadlineMs = 30_000, everyMs = 50 } = {},
): Promise<Exclude<NonNullable<T>, false>> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value as Exclude<NonNullable<T>, false>;
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(everyMs);
  }
}
