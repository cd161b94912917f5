import { detach } from '../../control/inject/client.js';
import type { InjectedProcess } from '../../model/migrate.js';
import { SockdocError } from '../../support/errors.js';

/** Takes back what was attached by us, and gives the error with what became of it. */
export async function undone(error: unknown, attached: readonly InjectedProcess[]): Promise<unknown> {
  const next = attached.length === 0 ? 'No process was attached to.' : await takenBack(attached);
  if (!(error instanceof SockdocError)) return error;
  return new SockdocError(error.kind, error.code, error.message, { next, cause: error });
}

async function takenBack(attached: readonly InjectedProcess[]): Promise<string> {
  const names = (some: readonly InjectedProcess[]) => some.map(({ comm, pid }) => `${comm} (${pid})`).join(', ');
  const after = await detach(attached.map(({ pid }) => pid));
  // One that has ended meanwhile needs no detaching.
  const left = after.filter(({ state, code }) => state === 'refused' && code !== 'gone' && code !== 'not-attached');
  const back = attached.filter(({ pid }) => !left.some((one) => one.pid === pid));
  const good = back.length === 0 ? [] : [`Detached again, with all connections on the kernel: ${names(back)}.`];
  const bad = left.map(
    ({ comm, pid, reason }) => `${comm} (${pid}) stays attached: ${reason} Try: sockdoc migrate ${pid} --back`,
  );
  return [...good, ...bad].join('\n');
}
