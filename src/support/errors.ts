/** Exit codes, as the command line promises them. */
export const EXIT = {
  ok: 0,
  /** The answer is bad news: findings at or above the threshold. */
  badNews: 1,
  usage: 2,
  notPermitted: 3,
  notPossible: 4,
  /** Our bug (EX_SOFTWARE of sysexits.h). */
  internal: 70,
} as const;

/** Who can act on an error: the caller, the administrator, nobody on this host, us; or the caller stopped it. */
export type ErrorKind = 'usage' | 'not-permitted' | 'not-possible' | 'internal' | 'interrupted';

interface Details {
  /** What to do: an example of right use, the command that would work, the capability that is missing. */
  next?: string;
  cause?: unknown;
}

/** An error with the exit code it ends the program with, and the next step for the person who reads it. */
export class SockdocError extends Error {
  override readonly name = 'SockdocError';
  readonly kind: ErrorKind;
  readonly code: number;
  readonly next: string | undefined;

  constructor(kind: ErrorKind, code: number, message: string, { next, cause }: Details = {}) {
    super(message, cause === undefined ? {} : { cause });
    this.kind = kind;
    this.code = code;
    this.next = next;
  }
}

/** Wrong use or bad input (exit 2): say what was wrong and what was expected; `next` holds an example. */
export const usageError = (message: string, details?: Details) =>
  new SockdocError('usage', EXIT.usage, message, details);

/** Something asked for by name may not be read or done (exit 3): `next` names the capability and a command that works. */
export const notPermitted = (message: string, details?: Details) =>
  new SockdocError('not-permitted', EXIT.notPermitted, message, details);

/** This host, kernel or process cannot do it (exit 4): the message says why. */
export const notPossible = (message: string, details?: Details) =>
  new SockdocError('not-possible', EXIT.notPossible, message, details);

/** Our bug (exit 70). Errors that are no SockdocError count as this too. */
export const internalError = (message: string, details?: Details) =>
  new SockdocError('internal', EXIT.internal, message, details);

/** Stopped by a signal: 128 plus its number, as shells count. */
export const interrupted = (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', details?: Details) =>
  new SockdocError('interrupted', 128 + { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }[signal], `stopped by ${signal}`, details);
