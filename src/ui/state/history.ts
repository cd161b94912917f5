import type { Frame } from '../../model/views/frame.js';

/** Frames that are remembered for the graphs: three minutes at a second each. */
const KEPT = 180;

interface Moment {
  at: number;
  values: Map<
    string,
    readonly [rttUs: number | undefined, sendBps: number | undefined, receiveBps: number | undefined]
  >;
}

export interface Course {
  rttUs: (number | undefined)[];
  sendBps: (number | undefined)[];
  receiveBps: (number | undefined)[];
}

/** What the connections of the last frames did. Its size is bounded by the rows of a frame. */
export class History {
  readonly #moments: Moment[] = [];

  /** A frame of an earlier moment (a recording that is played backwards) makes it forget what came after. */
  add({ takenAt, connections }: Frame): void {
    const at = Date.parse(takenAt);
    while ((this.#moments.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= at) this.#moments.pop();
    const values: Moment['values'] = new Map();
    for (const { cookie, rttUs, rates } of connections) values.set(cookie, [rttUs, rates?.sendBps, rates?.receiveBps]);
    this.#moments.push({ at, values });
    if (this.#moments.length > KEPT) this.#moments.shift();
  }

  /** Of one connection, oldest first; from the first frame that it is in. */
  of(cookie: string): Course {
    const all = this.#moments.map(({ values }) => values.get(cookie));
    const rows = all.slice(
      Math.max(
        0,
        all.findIndex((value) => value !== undefined),
      ),
    );
    return {
      rttUs: rows.map((row) => row?.[0]),
      sendBps: rows.map((row) => row?.[1]),
      receiveBps: rows.map((row) => row?.[2]),
    };
  }
}
