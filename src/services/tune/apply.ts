import { netnsIdentity } from '../../control/settings/netns.js';
import type { NetnsIdentity, Plan } from '../../model/tune/plan.js';
import type { Applied, Change, Skipped } from '../../model/tune/results.js';
import { notPermitted, notPossible, SockdocError } from '../../support/errors.js';
import { packageVersion } from '../../support/version.js';
import { bootId } from './boot.js';
import { unsettled } from './choose.js';
import { startGuard } from './guard.js';
import type { Step } from './journal/entry.js';
import { appendRecord, createEntry, newId } from './journal/files.js';
import type { Header } from './journal/records.js';
import { inOrder } from './order.js';
import { persistSteps, requirePersistable } from './persist/persist.js';
import { lockTune } from './state.js';
import { undoSteps } from './undo.js';
import { type Wanted, wantedRows } from './wanted.js';
import { WriteFailure, writeStep } from './write-step.js';

export interface ApplyOptions {
  /** Beside a running program that owns keys too. */
  override?: boolean;
  /** In a namespace that is not the initial one: rows of the whole host too. Else they are skipped. */
  host?: boolean;
  /** Make it outlast a restart; with confirmWithinS once it is confirmed. */
  persist?: boolean;
  /** Revert by itself that many seconds after the last write, unless confirmed. */
  confirmWithinS?: number;
  /** Network namespace to write in, a path as in namespaces.ts; left out: our own. */
  netns?: string;
  /** Aborted: what was written is taken back. */
  signal?: AbortSignal;
  /** Before each write; `at` begins with 1. */
  onWrite?: (key: string, at: number, of: number) => void;
}

/**
 * Writes a plan: all of it that can be written, or nothing. A write that fails takes back those before it (`failed`).
 * Throws when nothing could be begun: the lock is held, the journal cannot be written, an earlier run was cut off, a
 * running program owns keys, nothing may be written by us.
 */
export async function applyPlan(plan: Pick<Plan, 'profile' | 'rows'>, options: ApplyOptions = {}): Promise<Change> {
  const netns = options.netns ?? '';
  const identity = await netnsIdentity(netns);
  if (!identity) throw notPermitted(`network namespace ${netns} cannot be entered`, { next: 'Try it with sudo.' });
  if (options.persist) requirePersistable(identity);
  const where = { ...options, netns, identity };
  const first = await wantedRows(plan.rows, where);
  if (first.wanted.length === 0) return { applied: [], skipped: first.skipped, id: null };
  const lock = lockTune('sockdoc tune');
  try {
    const open = unsettled(identity);
    if (open) throw notPossible(open.message, { next: open.next });
    // Read again: whoever had the lock may have changed them.
    const { wanted, skipped } = await wantedRows(plan.rows, where);
    if (wanted.length === 0) return { applied: [], skipped, id: null };
    return await applyLocked({ plan, options, netns, identity, wanted: inOrder(wanted), skipped });
  } finally {
    lock.release();
  }
}

interface Applying {
  plan: Pick<Plan, 'profile'>;
  options: ApplyOptions;
  netns: string;
  identity: NetnsIdentity;
  wanted: Wanted[];
  skipped: Skipped[];
}

async function applyLocked({ plan, options, netns, identity, wanted, skipped }: Applying): Promise<Change> {
  const header: Header = {
    type: 'entry',
    schemaVersion: 1,
    id: newId(new Date()),
    at: new Date().toISOString(),
    version: packageVersion(),
    pid: process.pid,
    bootId: bootId(),
    netns: identity,
    profile: plan.profile,
    rows: wanted.map(({ key, kind, from, to, scope, startTicks }) => ({
      ...{ key, kind, from, to, scope },
      ...(startTicks === undefined ? {} : { startTicks }),
    })),
    persist: options.persist ?? false,
    ...(options.confirmWithinS === undefined ? {} : { confirmWithinS: options.confirmWithinS }),
  };
  createEntry(header);
  const steps: Step[] = [];
  const applied: Applied[] = [];
  try {
    if (options.confirmWithinS !== undefined) await startGuard(header.id);
    for (const [at, row] of wanted.entries()) {
      options.signal?.throwIfAborted();
      options.onWrite?.(row.key, at + 1, wanted.length);
      const done = await writeStep({ id: header.id, at, row, netns, steps });
      if (done) applied.push(done);
    }
    options.signal?.throwIfAborted();
    const lasting = options.persist && options.confirmWithinS === undefined ? await persistSteps(header, steps) : {};
    return { applied, skipped, id: header.id, ...lasting, ...finish(header) };
  } catch (error) {
    return {
      applied: [],
      skipped,
      id: header.id,
      failed: await takeBack({ id: header.id, error, steps, netns, signal: options.signal }),
    };
  }
}

function finish({ id, confirmWithinS }: Header): { confirmBefore?: string } {
  const now = new Date();
  const confirmBefore =
    confirmWithinS === undefined
      ? {}
      : { confirmBefore: new Date(now.getTime() + confirmWithinS * 1000).toISOString() };
  appendRecord(id, { type: 'applied', at: now.toISOString(), ...confirmBefore });
  return confirmBefore;
}

interface Failing {
  id: string;
  error: unknown;
  steps: readonly Step[];
  netns: string;
  signal: AbortSignal | undefined;
}

async function takeBack({ id, error, steps, netns, signal }: Failing): Promise<NonNullable<Change['failed']>> {
  const known = error instanceof WriteFailure || error instanceof SockdocError || error === signal?.reason;
  const reason = error instanceof Error ? error.message : String(error);
  const { reverted, kept } = await undoSteps(steps, netns);
  const outcome = { key: error instanceof WriteFailure ? error.key : '', undone: reverted.map(({ key }) => key), kept };
  if (kept.length > 0) return { ...outcome, reason };
  try {
    appendRecord(id, { type: 'undone', at: new Date().toISOString(), reason });
  } catch {
    // The disk that made it fail, as a rule. A later revert finds that there is nothing left to do.
  }
  if (!known) throw error; // our bug; the host is as it was before
  return { ...outcome, reason };
}
