import { setTimeout as sleep } from 'node:timers/promises';
import type { Snapshot } from '../../model/snapshot/index.js';
import { SNAPSHOT_SCHEMA_VERSION } from '../../model/words.js';
import { findHierarchies } from '../../probes/cgroups/index.js';
import { SocketProbe } from '../../probes/native.js';
import { packageVersion } from '../../support/version.js';
import { readFacts } from './collecting/facts.js';
import { GapList } from './collecting/gaps.js';
import { chooseNamespaces } from './collecting/namespaces.js';
import { nativeOrError } from './collecting/native.js';
import { finish, type RawReading, readOnce } from './collecting/reading.js';
import { select, selectAgain } from './collecting/selection.js';
import { readLog, startWatch } from './collecting/watch.js';
import type { CollectOptions } from './options.js';

/**
 * Reads the host: once (window 0), or at both ends of the window with the facts in between. A part that cannot be
 * read becomes a gap; only what was asked for by name is an error.
 */
export async function collect({ target, windowMs, signal }: CollectOptions): Promise<Snapshot> {
  nativeOrError();
  const takenAt = new Date();
  const started = performance.now();
  const gaps = new GapList();
  const selection = await select(target);
  const { namespaces, gaps: unseen } = await chooseNamespaces(target.netns, selection.pids);
  gaps.add(...unseen);
  const self = [process.pid];
  const sockets = await gaps.attempt('sockets', async () => new SocketProbe());
  const request = { namespaces, selfPids: self, sockets, hierarchies: findHierarchies() };
  const readings: RawReading[] = [];
  // Takes a while to begin: beside the first reading, so that the window is not longer for it.
  const watch = windowMs > 0 ? startWatch(gaps) : undefined;
  try {
    if (windowMs > 0) readings.push(await readOnce({ ...request, pids: selection.pids, beginsWindow: true }, gaps));
    const [facts] = await Promise.all([readFacts(namespaces, gaps), pause(windowMs, signal)]);
    const seen = await watch?.end();
    const { pids, described } = windowMs > 0 ? await selectAgain(target, selection) : selection;
    const last = await readOnce({ ...request, pids, beginsWindow: false }, gaps);
    readings.push(last);
    const log = await readLog(gaps);
    signal?.throwIfAborted();
    return {
      format: 'sockdoc-snapshot',
      schemaVersion: SNAPSHOT_SCHEMA_VERSION,
      version: packageVersion(),
      takenAt: takenAt.toISOString(),
      durationMs: Math.round(performance.now() - started),
      windowMs,
      redacted: false,
      selection: described,
      self,
      host: facts.host,
      netns: facts.netns,
      readings: readings.map((reading) => finish(reading, facts.networkIrqs)),
      observed: { ...last.observed, ...seen, ...log },
      gaps: gaps.all(),
    };
  } finally {
    sockets?.close();
    await watch?.end();
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}
