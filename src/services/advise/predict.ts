import type { Calibration, Prediction, TransportCosts } from '../../model/advise.js';
import type { PairFlow } from '../../probes/connections.js';
import type { End } from './readings.js';

/** Fewer samples say too little: of 20 a share is off by up to 0.22. */
const LEAST_SAMPLES = 20;

/** Segments of at least this part of the largest are pieces of larger messages. */
const FULL = 0.9;

/** What the kernel sends and receives at once of a large message. */
const BURST_BYTES = 65_536;

/** libsd looks at memory for so long before it sleeps (native/preload/connection/spinning.cc). */
const LOOK_US = 50;

/** Beyond it a ratio of two small figures says nothing. */
const MOST_TIMES = 100;

/** What a prediction is made of. */
export interface PairUse {
  ends: readonly End[];
  toServer: PairFlow;
  toClient: PairFlow;
  mssBytes?: number;
}

/** Messages per second: each data segment is one, but the full ones of a larger message, which travel in bursts. */
export function messagesOf({ bytesPerS, segmentsPerS }: PairFlow, mssBytes = 0): number {
  const full = mssBytes > 0 && bytesPerS >= FULL * mssBytes * segmentsPerS;
  return full ? Math.min(segmentsPerS, bytesPerS / BURST_BYTES) : segmentsPerS;
}

/** A cost between those of the two sizes that were measured, or beyond them; never below that of the small one. */
function between(small: number, large: number, { smallBytes, largeBytes }: Calibration, bytes: number): number {
  const perByte = Math.max(0, large - small) / (largeBytes - smallBytes);
  return small + perByte * Math.max(0, bytes - smallBytes);
}

const messageUs = (costs: TransportCosts, sizes: Calibration, bytes: number) =>
  between(costs.smallUs, costs.largeUs, sizes, bytes);

const roundTripUs = (costs: TransportCosts, sizes: Calibration, bytes: number) =>
  between(costs.smallRoundTripUs, costs.largeRoundTripUs, sizes, bytes);

/** What moving the connections of a pair to shared memory would save: docs/advise.md has the model in words. */
export function predict(use: PairUse, calibration: Calibration): Prediction {
  const { byKernel, byMemory } = calibration;
  const flows = [use.toServer, use.toClient];
  const messagesPerS = flows.reduce((sum, flow) => sum + messagesOf(flow, use.mssBytes), 0);
  const bytes = messagesPerS === 0 ? 0 : flows.reduce((sum, { bytesPerS }) => sum + bytesPerS, 0) / messagesPerS;
  const kernelUs = messageUs(byKernel, calibration, bytes);
  const paths = use.ends.map((end) => socketPath(end, (messagesPerS * kernelUs) / 2, byKernel.wakeUpUs));
  const socketPathCores = paths.reduce((sum, { cores }) => sum + cores, 0);
  const memoryUs =
    messagesPerS * messageUs(byMemory, calibration, bytes) + sleepsLeft(use, byKernel) * (LOOK_US + byKernel.wakeUpUs);
  const savedCores = Math.max(0, socketPathCores - memoryUs / 1e6);
  const cores = use.ends.reduce((sum, { cpuCores = 0, partOfTraffic = 0 }) => sum + cpuCores * partOfTraffic, 0);
  return {
    socketPathCores,
    source: paths.every(({ sampled }) => sampled) ? 'sampled' : 'estimated',
    memoryCores: socketPathCores - savedCores,
    savedCores,
    ...(cores > 0
      ? { timesLessCpu: Math.min(MOST_TIMES, cores / Math.max(cores / MOST_TIMES, cores - savedCores)) }
      : {}),
    roundTripUs: {
      byKernel: roundTripUs(byKernel, calibration, bytes),
      byMemory: roundTripUs(byMemory, calibration, bytes),
    },
  };
}

/** CPU of one end that goes into the kernel's socket path for this pair. */
function socketPath(end: End, messagesUsPerS: number, wakeUpUs: number) {
  const { cpuCores, socketShare, socketShareSamples = 0, kernelShare = 1, partOfTraffic = 0, switchesPerS = 0 } = end;
  if (cpuCores !== undefined && socketShare !== undefined && socketShareSamples >= LEAST_SAMPLES)
    return { cores: cpuCores * socketShare * partOfTraffic, sampled: true };
  const estimated = (messagesUsPerS + switchesPerS * partOfTraffic * wakeUpUs) / 1e6;
  const most = cpuCores === undefined ? estimated : cpuCores * kernelShare * partOfTraffic;
  return { cores: Math.min(estimated, most), sampled: false };
}

/**
 * Sleeps per second that stay. Who waits for the other one's answer, while that one runs, gets it before he sleeps. Who waits
 * because nobody has anything to do, or because the other one waits for a CPU, sleeps as before, after looking in vain. How
 * often that is: as often as the two neither run, nor are on their way from one to the other, which is what a wake-up takes.
 */
function sleepsLeft({ ends }: PairUse, { smallUs, wakeUpUs, smallRoundTripUs }: TransportCosts): number {
  const sum = (of: (end: End) => number) => ends.reduce((all, end) => all + of(end), 0);
  const sleeps = sum(({ switchesPerS = 0, partOfTraffic = 0 }) => switchesPerS * partOfTraffic);
  const busy = sum(({ cpuCores = 0 }) => cpuCores);
  const queued = sum(({ waiting = 0 }) => waiting);
  const underway = (sleeps * Math.max(0, smallRoundTripUs / 2 - smallUs - wakeUpUs)) / 1e6;
  const still = Math.max(0, 1 - busy - underway - queued);
  return sleeps * Math.min(1, still + queued);
}
