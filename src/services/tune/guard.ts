import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { takeLock } from '../../control/settings/lock.js';
import { internalError } from '../../support/errors.js';
import { type Entry, isOpen } from './journal/entry.js';
import { readEntry } from './journal/files.js';
import { revertLocked } from './revert.js';
import { lockFile } from './state.js';

const LOOK_EVERY_MS = 200;
const READY = 'ready\n';

/**
 * Starts the process that takes a change back unless it is confirmed, in a session of its own: it outlives us, the
 * terminal and the connection over which we were started. Comes back when it watches.
 */
export async function startGuard(id: string): Promise<void> {
  const entry = fileURLToPath(new URL('../../../bin/run.js', import.meta.url));
  const child = spawn(process.execPath, [entry, 'tune', 'guard', id], {
    detached: true,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, SOCKDOC_TUNE_KILL_AT: undefined },
  });
  const ended = once(child, 'exit').then(() => '');
  const said = await Promise.race([once(child.stdout, 'data').then(([text]) => String(text)), ended]);
  if (said !== READY) throw internalError('the process that would take the change back did not start');
  child.stdout.destroy();
  child.unref();
}

/** The guard's own work; ends when there is nothing to guard any more. */
export async function runGuard(id: string): Promise<void> {
  let ending = false;
  for (const signal of ['SIGHUP', 'SIGINT'] as const) process.on(signal, () => {});
  // Somebody ends it, so nobody would guard any more: taken back at once is the safe side.
  process.on('SIGTERM', () => {
    ending = true;
  });
  process.stdout.on('error', () => {}); // the reader leaves after the first word
  process.stdout.write(READY);
  let appliedAt: number | undefined;
  for (;;) {
    const { entry } = readEntry(id);
    if (!entry || !isOpen(entry) || entry.state === 'applied') return;
    if (entry.state === 'unconfirmed') appliedAt ??= performance.now();
    const { confirmWithinS = 0 } = entry.header;
    const over = ending || (appliedAt !== undefined && performance.now() >= appliedAt + confirmWithinS * 1000);
    // Who writes holds the lock: one who does not any more, before the end, was killed.
    if ((over || entry.state === 'unfinished') && (await revertIfStill(entry))) return;
    await sleep(LOOK_EVERY_MS);
  }
}

/** False: another process has the lock. */
async function revertIfStill({ header, state }: Entry): Promise<boolean> {
  const lock = takeLock(lockFile(), 'sockdoc tune: reverting what was not confirmed');
  if ('holder' in lock) return false;
  try {
    const { entry } = readEntry(header.id);
    if (!entry || entry.state !== state) return false; // it went on meanwhile
    await revertLocked(entry);
    return true;
  } finally {
    lock.release();
  }
}
