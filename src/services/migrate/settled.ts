import { setTimeout as sleep } from 'node:timers/promises';
import type { MigratedProcess } from '../../model/migrate.js';
import { GapList } from '../diagnose/collecting/gaps.js';
import { type Carried, carriedNow } from './carried.js';

const LOOK_EVERY_MS = 100;
const HEARD_WITHIN_MS = 3000;

/** Until no connection is left that could move, or the time is up. */
export async function settled(
  pids: readonly number[],
  processes: readonly MigratedProcess[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Carried> {
  const attached = processes.filter(({ state }) => state === 'attached').map(({ pid }) => pid);
  const end = performance.now() + timeoutMs;
  for (;;) {
    const carried = await carriedNow(pids, new GapList(), attached);
    if (carried.pending === 0 || performance.now() >= end) return carried;
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/**
 * What carries connections, once the monitor has heard of the processes that libsd has left: it may be slow to listen.
 * Aborting the signal ends the waiting.
 */
export async function heard(
  pids: readonly number[],
  processes: readonly MigratedProcess[],
  gaps: GapList,
  signal: AbortSignal,
): Promise<Carried> {
  const left = new Set(processes.filter(({ state }) => state === 'detached').map(({ pid }) => pid));
  const end = performance.now() + HEARD_WITHIN_MS;
  for (let carried = await carriedNow(pids, gaps); ; carried = await carriedNow(pids)) {
    const late = carried.rows.some(({ transport, pid = -1, peer }) => {
      return transport === 'shm' && (left.has(pid) || left.has(peer?.pid ?? -1));
    });
    if (!late || performance.now() >= end) return carried;
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
