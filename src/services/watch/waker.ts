/** An hour is as good as for ever: whatever ends a pause wakes it. */
const LONGEST_MS = 3_600_000;

/**
 * A pause between frames that a wish may end early. It leaves nothing behind: the signals of AbortSignal.any stay with
 * the signal they came from for as long as that lives, which is until `top` ends.
 */
export class Waker {
  #isAwake = false;
  #end = () => {};

  /** Ends the pause that is there, and each that follows until sleep(). */
  wake(): void {
    this.#isAwake = true;
    this.#end();
  }

  get isAwake(): boolean {
    return this.#isAwake;
  }

  sleep(): void {
    this.#isAwake = false;
  }

  /** Ends after so many milliseconds, or when it is woken or aborted. */
  pause(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#isAwake || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(Math.max(0, ms), LONGEST_MS));
      signal.addEventListener('abort', end);
      this.#end = end;
    });
  }
}
