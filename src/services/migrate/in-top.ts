import { hasInjector } from '../../control/inject/client.js';
import type { MigrateDocument } from '../../model/migrate.js';
import { notPossible } from '../../support/errors.js';
import { migrate } from './run.js';

const TIMEOUT_MS = 10_000;

/** What the live screen may do to processes; nothing where there is no injector. */
export const migrationHere = (): { migrate?: typeof migrateInTop } => (hasInjector() ? { migrate: migrateInTop } : {});

/** Attaches to a process and to who it talks to on this host, or detaches from it; a sentence about it, or an error. */
async function migrateInTop(pid: number, back: boolean, signal: AbortSignal): Promise<string> {
  const how = { withPeers: !back, withChildren: false, dryRun: false, timeoutMs: TIMEOUT_MS, windowMs: 0 };
  return sentence(await migrate({ pids: [pid], back, ...how }, signal));
}

function sentence({ processes, connections: { moved, kept }, back }: MigrateDocument): string {
  const refused = processes.filter(({ state }) => state === 'refused');
  const named = refused.find((process) => process.named);
  if (named) throw notPossible(`${named.comm} ${named.pid} was refused: ${named.reason ?? named.code}`);
  const done = processes.filter(({ state }) => state !== 'refused').map(({ comm, pid }) => `${comm} ${pid}`);
  const also = refused.map(({ comm, pid, reason, code }) => `; ${comm} ${pid} was refused: ${reason ?? code}`).join('');
  const where = back ? 'all connections by the kernel' : `${moved} of ${moved + kept} connections by shared memory`;
  return `${back ? 'Detached from' : 'Attached to'} ${done.join(', ')}: ${where}${also}`;
}
