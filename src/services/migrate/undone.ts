import { detach } from '../../control/inject/client.js';
import type { InjectedProcess } from '../../model/migrate.js';
import { SockdocError } from '../../support/errors.js';

/** Takes back what was attached by us, and gives the error with what became of it. */
export async function undone(error: unknown, attached: readonly InjectedProcess[]): Promise<unknown> {
  const next = attached.length === 0 ? 'No process was attached to.' : await takenBack(attached);
  return explained(error, next);
}

/** The error with what was detached before it came, which stays so. */
export function brokenOff(error: unknown, processes: readonly InjectedProcess[]): unknown {
  const back = processes.filter(({ state }) => state === 'detached');
  const next = back.length === 0 ? 'No process was detached.' : `Detached before, and stays so: ${named(back)}.`;
  return explained(error, next);
}

const named = (some: readonly InjectedProcess[]) => some.map(({ comm, pid }) => `${comm} (${pid})`).join(', ');

const explained = (error: unknown, next: string) =>
  error instanceof SockdocError
    ? new SockdocError(error.kind, error.code, error.message, { next, cause: error })
    : error;

async function takenBack(attached: readonly InjectedProcess[]): Promise<string> {
  const after = await detach(attached.map(({ pid }) => pid));
  // One that has ended meanwhile needs no detaching.
  const left = after.filter(({ state, code }) => state === 'refused' && code !== 'gone' && code !== 'not-attached');
  const back = attached.filter(({ pid }) => !left.some((one) => one.pid === pid));
  const good = back.length === 0 ? [] : [`Detached again, with all connections on the kernel: ${named(back)}.`];
  const bad = left.map(
    ({ comm, pid, reason }) => `${comm} (${pid}) stays attached: ${reason} Try: sockdoc migrate ${pid} --back`,
  );
  return [...good, ...bad].join('\n');
}
