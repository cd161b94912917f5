import type { Calibration } from '../../model/advise.js';
import type { Effect } from '../../model/migrate.js';
import { present } from '../../probes/link-sysfs.js';
import { pairUse, predict } from '../advise/predict.js';
import type { PairReading } from '../advise/readings.js';

/** Less than that says nothing of a rate. */
const LEAST_BYTES_PER_S = 1000;
const LEAST_CORES = 0.005;

/** What moving did for the pairs that were there before and after, beside what the model says of the costs that were measured. */
export function effectsOf(
  before: readonly PairReading[],
  after: readonly PairReading[],
  calibration: Calibration | undefined,
): Effect[] {
  return before.flatMap((then) => {
    const now = after.find(({ pair }) => pair.client === then.pair.client && pair.server === then.pair.server);
    if (now === undefined || now.pair.byMemory === 0 || then.pair.byMemory > 0) return [];
    const uses = { before: usedBy(then, then), after: usedBy(now, then) };
    return [
      {
        client: named(then.client),
        server: named(then.server),
        ...uses,
        ...ratiosOf(uses),
        ...predictedOf(then, calibration),
      },
    ];
  });
}

function predictedOf(then: PairReading, calibration: Calibration | undefined): Partial<Effect> {
  const use = pairUse(then);
  const { timesLessCpu, timesLessCpuBetween } = use && calibration ? predict(use, calibration) : {};
  return {
    ...present('predictedTimesLessCpu', timesLessCpu),
    ...present('predictedTimesLessCpuBetween', timesLessCpuBetween),
  };
}

const named = ({ pid, comm }: PairReading['client']) => ({ pid, comm });

/** The part of a process's traffic that is the pair's is that of before: the kernel does not count messages in memory. */
function usedBy({ pair, client, server }: PairReading, parts: PairReading): Effect['before'] {
  const flows = [pair.toServer, pair.toClient];
  const bytesPerS = flows.reduce((sum, flow) => sum + (flow?.bytesPerS ?? 0), 0);
  if (client.cpuCores === undefined || server.cpuCores === undefined) return { bytesPerS };
  const { partOfTraffic: ofClient = 1 } = parts.client;
  const { partOfTraffic: ofServer = 1 } = parts.server;
  return { bytesPerS, cpuCores: client.cpuCores * ofClient + server.cpuCores * ofServer };
}

function ratiosOf({ before, after }: Pick<Effect, 'before' | 'after'>): Partial<Effect> {
  if (before.bytesPerS < LEAST_BYTES_PER_S || after.bytesPerS < LEAST_BYTES_PER_S) return {};
  const timesThroughput = after.bytesPerS / before.bytesPerS;
  const { cpuCores: then = 0 } = before;
  const { cpuCores: now = 0 } = after;
  if (then < LEAST_CORES || now < LEAST_CORES) return { timesThroughput };
  return { timesThroughput, timesLessCpu: then / before.bytesPerS / (now / after.bytesPerS) };
}
