/** Data is drawn this often at most, keys a little more often: Ink costs up to 20 ms a frame. */
const [DATA_MS, KEY_MS] = [250, 66];

/** When the next frame may be drawn: at once after a quiet time, else as soon as it may. */
export class Pace {
  readonly #draw: () => void;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(draw: () => void) {
    this.#draw = draw;
  }

  want(why: 'data' | 'key'): void {
    const now = performance.now();
    const dueAt = Math.max(now, this.#drawnAt + (why === 'data' ? DATA_MS : KEY_MS));
    if (dueAt >= this.#dueAt) return;
    this.stop();
    this.#dueAt = dueAt;
    if (dueAt <= now) this.#now();
    else this.#timer = setTimeout(() => this.#now(), dueAt - now);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#dueAt = Number.POSITIVE_INFINITY;
  }

  #now(): void {
    this.stop();
    this.#drawnAt = performance.now();
    this.#draw();
  }
}
