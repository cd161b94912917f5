import { existsSync } from 'node:fs';
import { attach, detach } from '../../control/inject/client.js';
import { socketsToAsk } from '../../control/monitor/places.js';
import type { InjectedProcess, MigrateDocument, MigratedProcess } from '../../model/migrate.js';
import { notPossible } from '../../support/errors.js';
import { packageVersion } from '../../support/version.js';
import { calibrate } from '../advise/calibration.js';
import { type PairReading, readPairs } from '../advise/readings.js';
import { GapList } from '../diagnose/collecting/gaps.js';
import { monitorRuns, runningMonitor } from '../monitor/running.js';
import { type Carried, carriedNow } from './carried.js';
import { effectsOf } from './effect.js';
import { withLateChildren } from './late-children.js';
import { heard, settled } from './settled.js';
import { stoppedOf } from './stopped.js';
import { targetsOf } from './targets.js';
import { brokenOff, undone } from './undone.js';

export interface MigrateOptions {
  pids: readonly number[];
  withPeers: boolean;
  withChildren: boolean;
  dryRun: boolean;
  back: boolean;
  /** How long connections may take to move. */
  timeoutMs: number;
  /** Traffic and CPU are measured for so long before and after; 0: not at all. */
  windowMs: number;
}

/** Told what goes on. */
export type Tell = (step: string) => void;

/** Codes of refusals by which a process is already as it should be. */
const SO_ALREADY = { attach: 'already', detach: 'not-attached' } as const;

/** Moves the live connections of running processes to shared memory, or back. Aborting it takes back what it did. */
export async function migrate(
  options: MigrateOptions,
  signal: AbortSignal,
  tell: Tell = () => {},
): Promise<MigrateDocument> {
  for (const pid of options.pids) {
    if (existsSync(`/proc/${pid}`)) continue;
    throw notPossible(`there is no process ${pid}: nothing was done`, { next: 'List processes with: ps -e' });
  }
  return options.back ? goBack(options, signal, tell) : goForth(options, signal, tell);
}

async function goForth(options: MigrateOptions, signal: AbortSignal, tell: Tell): Promise<MigrateDocument> {
  const { dryRun, timeoutMs } = options;
  const gaps = new GapList();
  const isMeasured = !dryRun && options.windowMs > 0;
  tell('looking at what they do now');
  const calibration = isMeasured ? await gaps.attempt('calibration', () => calibrate()) : undefined;
  const before = await readings(options, gaps, signal);
  const pids = await targetsOf(options);
  tell(dryRun ? 'looking whether they can be attached to' : 'attaching');
  const refused = dryRun ? [] : await refusedWithoutMonitor(pids, signal);
  if (refused.length > 0) {
    const processes = refused.map((process) => shown(process, options, SO_ALREADY.attach));
    return documentOf(options, { processes, carried: await carriedNow(pids, gaps), gaps });
  }
  const monitor = dryRun ? (socketsToAsk(undefined)[0] ?? '') : await runningMonitor(undefined);
  const { done, injected } = await attachAll(pids, monitor, options, signal);
  const processes = injected.map((process) => shown(process, options, SO_ALREADY.attach));
  if (dryRun)
    return documentOf(options, {
      processes,
      carried: wouldMove(await carriedNow(pids, gaps), processes),
      gaps,
      monitor,
    });
  try {
    tell('waiting for connections to move');
    const carried = await settled(pids, processes, timeoutMs, signal);
    tell('measuring what it did');
    const after = await readings(options, gaps, signal);
    const effects = effectsOf(before, after, calibration);
    return { ...documentOf(options, { processes, carried, gaps, monitor, injected }), effects };
  } catch (error) {
    throw await undone(error, done);
  }
}

/** Where no monitor runs, and none of the processes can be attached to: what is said of each. Then none is started. */
async function refusedWithoutMonitor(pids: readonly number[], signal: AbortSignal): Promise<InjectedProcess[]> {
  if (await monitorRuns(undefined)) return [];
  const judged = await attach(pids, socketsToAsk(undefined)[0] ?? '', { dryRun: true, signal });
  return judged.every(({ state, code }) => state === 'refused' && code !== SO_ALREADY.attach) ? judged : [];
}

/** Attaches to all; with children also to those that appeared meanwhile. What was attached when it is stopped is undone. */
async function attachAll(
  pids: readonly number[],
  monitor: string,
  options: MigrateOptions,
  signal: AbortSignal,
): Promise<{ injected: InjectedProcess[]; done: InjectedProcess[] }> {
  const how = { dryRun: options.dryRun, signal };
  const injected = await withLateChildren(options, pids, signal, (some) => attach(some, monitor, how));
  const done = injected.filter(({ state }) => state === 'attached');
  if (signal.aborted) throw await undone(signal.reason, done);
  return { injected, done };
}

async function goBack(options: MigrateOptions, signal: AbortSignal, tell: Tell): Promise<MigrateDocument> {
  const gaps = new GapList();
  const pids = await targetsOf(options);
  tell('detaching');
  const { dryRun, timeoutMs } = options;
  const injected = await withLateChildren(options, pids, signal, (some) => detach(some, { dryRun, timeoutMs, signal }));
  const processes = injected.map((process) => shown(process, options, SO_ALREADY.detach));
  try {
    signal.throwIfAborted();
    const carried = dryRun ? await carriedNow(pids, gaps) : await heard(pids, processes, gaps, signal);
    return documentOf(options, { processes, carried, gaps, injected });
  } catch (error) {
    throw brokenOff(error, injected);
  }
}

/** What the pairs of the named processes do; nothing where nobody wants to know. */
async function readings(
  { pids, windowMs, dryRun }: MigrateOptions,
  gaps: GapList,
  signal: AbortSignal,
): Promise<PairReading[]> {
  if (dryRun || windowMs === 0) return [];
  return (await readPairs({ pids, windowMs }, gaps, signal)).pairs;
}

/** Of a dry run: connections whose both ends are ready or under libsd already. */
function wouldMove({ rows }: Carried, processes: readonly MigratedProcess[]): Carried {
  const ready = new Set(processes.filter(({ state }) => state !== 'refused').map(({ pid }) => pid));
  const moves = rows.filter(({ pid, peer }) => pid !== undefined && peer && ready.has(pid) && ready.has(peer.pid));
  const reasons: Record<string, number> = {};
  for (const row of rows) {
    if (moves.includes(row)) continue;
    const reason = row.isLocal ? 'its other end is not attached to' : 'its other end is on another host';
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  return { rows, pending: 0, connections: { moved: moves.length, kept: rows.length - moves.length, reasons } };
}

function shown(injected: InjectedProcess, { pids, back }: MigrateOptions, soAlready: string): MigratedProcess {
  const { stops: _stops, ...process } = injected;
  const was = process.code === soAlready;
  return { ...process, ...(was ? { state: back ? 'detached' : 'attached' } : {}), named: pids.includes(process.pid) };
}

interface Parts {
  injected?: readonly InjectedProcess[];
  processes: MigratedProcess[];
  carried: Carried;
  gaps: GapList;
  monitor?: string;
}

function documentOf({ dryRun, back }: MigrateOptions, parts: Parts): MigrateDocument {
  const { processes, carried, gaps, monitor, injected = [] } = parts;
  const stopped = stoppedOf(injected.flatMap(({ stops = [] }) => stops));
  return {
    schemaVersion: 1,
    command: 'migrate',
    version: packageVersion(),
    takenAt: new Date().toISOString(),
    dryRun,
    back,
    ...(monitor === undefined ? {} : { monitor }),
    processes,
    connections: carried.connections,
    ...(stopped === undefined ? {} : { stopped }),
    effects: [],
    gaps: gaps.all(),
  };
}
