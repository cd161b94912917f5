import type { AdviseDocument, AdvisedPair, Calibration, Obstacle, PairEnd } from '../../model/advise.js';
import { present } from '../../probes/link-sysfs.js';
import { packageVersion } from '../../support/version.js';
import { GapList } from '../diagnose/collecting/gaps.js';
import { ofProcess } from '../diagnose/collecting/namespaces.js';
import { calibrate } from './calibration.js';
import { Obstacles } from './obstacles.js';
import { messagesOf, type PairUse, pairUse, predict } from './predict.js';
import { type End, type PairReading, readPairs } from './readings.js';

export interface AdviseOptions {
  /** Only pairs that one of these is an end of; empty: all. */
  pids: readonly number[];
  windowMs: number;
  limit?: number;
  /** Measure anew what messages cost. */
  calibrateAnew: boolean;
}

/** Less is not worth touching a process for: a thousandth of a CPU. */
const WORTH_CORES = 0.001;

/** Who talks to whom on this host, and what shared memory would save. */
export async function advise(
  { pids, windowMs, limit, calibrateAnew }: AdviseOptions,
  signal: AbortSignal,
): Promise<AdviseDocument> {
  for (const pid of pids) ofProcess(pid); // asked for by name: not being able to look at one is an error
  const gaps = new GapList();
  const calibration = await gaps.attempt('calibration', () => calibrate({ anew: calibrateAnew }));
  const takenAt = new Date().toISOString();
  const readings = await readPairs({ pids, windowMs }, gaps, signal);
  const obstacles = await Obstacles.lookFor(readings.pairs);
  const pairs = readings.pairs.map((reading) => advised(reading, obstacles.of(reading), calibration));
  const sorted = pairs.toSorted((a, b) => rankOf(b) - rankOf(a) || gainOf(b) - gainOf(a) || pathOf(b) - pathOf(a));
  return {
    schemaVersion: 1,
    command: 'advise',
    version: packageVersion(),
    takenAt,
    windowMs: Math.round(readings.windowMs),
    ...(pids.length > 0 ? { pids: [...new Set(pids)] } : {}),
    ...(calibration ? { calibration } : {}),
    pairs: sorted.slice(0, limit),
    seen: pairs.length,
    gaps: gaps.all(),
  };
}

function advised(reading: PairReading, obstacles: Obstacle[], calibration: Calibration | undefined): AdvisedPair {
  const { pair, client, server } = reading;
  const use = pairUse(reading);
  const moved = pair.byMemory === pair.connections;
  const prediction = use && calibration && !moved ? predict(use, calibration) : undefined;
  return {
    client: shown(client),
    server: shown(server),
    ports: pair.ports,
    connections: pair.connections,
    byMemory: pair.byMemory,
    ...(use ? { traffic: trafficOf(use) } : {}),
    ...present('rttUs', pair.rttUs),
    ...present('prediction', prediction),
    verdict: verdictOf(moved, obstacles, prediction?.savedCores ?? 0),
    obstacles,
  };
}

function trafficOf({ toServer, toClient, mssBytes }: PairUse): NonNullable<AdvisedPair['traffic']> {
  const messages = [toServer, toClient].map((flow) => messagesOf(flow, mssBytes));
  const messagesPerS = messages.reduce((sum, some) => sum + some, 0);
  return { toServer, toClient, messagesPerS, roundTripsPerS: Math.min(...messages) };
}

function verdictOf(moved: boolean, obstacles: readonly Obstacle[], savedCores: number): AdvisedPair['verdict'] {
  if (moved) return 'moved';
  if (savedCores < -WORTH_CORES) return 'leave';
  if (savedCores < WORTH_CORES) return 'no-gain';
  return obstacles.some(({ blocks }) => blocks) ? 'blocked' : 'migrate';
}

/** What can be moved comes first, then what could be if something were changed. */
const RANKS = { migrate: 4, blocked: 3, moved: 2, 'no-gain': 1, leave: 0 } as const;
const rankOf = ({ verdict }: AdvisedPair): number => RANKS[verdict];
const pathOf = ({ prediction }: AdvisedPair): number => prediction?.socketPathCores ?? 0;
const gainOf = ({ prediction }: AdvisedPair): number => prediction?.savedCores ?? 0;

function shown({ switchesPerS: _switches, waiting: _waiting, underLibsd: _under, ...end }: End): PairEnd {
  return end;
}
