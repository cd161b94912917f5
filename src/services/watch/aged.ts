/** What is dear to read and seldom changes: read again once it is old. */
export class Aged<T> {
  readonly #maxMs: number;
  readonly #read: () => Promise<T>;
  #value: { value: T; atMs: number } | undefined;

  constructor(maxMs: number, read: () => Promise<T>) {
    this.#maxMs = maxMs;
    this.#read = read;
  }

  /** A reading that fails is tried again at the next call. */
  async get(): Promise<T> {
    if (this.#value === undefined || performance.now() - this.#value.atMs >= this.#maxMs) {
      const value = await this.#read();
      this.#value = { value, atMs: performance.now() };
    }
    return this.#value.value;
  }

  expire(): void {
    this.#value = undefined;
  }
}
