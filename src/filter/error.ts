import { EXIT, SockdocError } from '../support/errors.js';

const EXAMPLE = 'Example: state:established port:6379,6380 rtt>500us !local';

/** A filter that cannot be read: where, what is wrong there, and what was expected. Wrong use, exit code 2. */
export class FilterError extends SockdocError {
  /** Without the place, for a screen that marks it. */
  readonly problem: string;
  /** Offset into the text of the filter, in UTF-16 units. */
  readonly position: number;

  constructor(position: number, problem: string) {
    super('usage', EXIT.usage, `the filter is wrong at column ${position + 1}: ${problem}`, { next: EXAMPLE });
    this.problem = problem;
    this.position = position;
  }
}
