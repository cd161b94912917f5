import type { NetContext } from '../../checks/check.js';

/** What a symptom is read from: one namespace over one window, and the key that the row changes. */
export interface SymptomContext extends NetContext {
  key: string;
  /** Its value before the change. */
  former: string;
}

/**
 * Something that should move when a change was right.
 *
 * - count: events within the window (dropped packets, overflows)
 * - state: how many are so at its end (connections bound by a buffer)
 */
export interface Symptom {
  /** In the plural: "overflows of accept queues". */
  name: string;
  /** Where it is read. */
  source: string;
  type: 'count' | 'state';
  /** Undefined when it cannot be read, or there is no window. */
  read(context: SymptomContext): number | undefined;
  /** What it comes from: without as much of it, less of the symptom proves nothing. */
  load: Load;
  /**
   * Whether the new value holds for what is measured: a listener keeps the backlog that it was made with. Undefined
   * when nothing tells. Left out: it does at once.
   */
  inForce?(context: SymptomContext): boolean | undefined;
}

export interface Load {
  /** In the plural: "connection attempts". */
  name: string;
  read(context: SymptomContext): number | undefined;
}
