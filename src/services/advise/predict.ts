import type { Calibration, Prediction, TransportCosts } from '../../model/advise.js';
import type { PairFlow } from '../../probes/connections.js';
import type { End } from './readings.js';
import { waitingCores } from './waiting.js';

/** Fewer samples say too little: of 20 a share is off by up to 0.22. */
const LEAST_SAMPLES = 20;

/** Segments of at least this part of the largest are pieces of larger messages. */
const FULL = 0.9;

/** What the kernel sends and receives at once of a large message. */
const BURST_BYTES = 65_536;

/** Beyond it a ratio of two small figures says nothing. */
const MOST_TIMES = 100;

/** What a prediction is made of. */
export interface PairUse {
  ends: readonly End[];
  toServer: PairFlow;
  toClient: PairFlow;
  connections: number;
  /** CPUs that everybody else keeps busy. */
  othersCores: number;
  mssBytes?: number;
}

/** Messages per second: each data segment is one, but the full ones of a larger message, which travel in bursts. */
export function messagesOf({ bytesPerS, segmentsPerS }: PairFlow, mssBytes = 0): number {
  const full = mssBytes > 0 && bytesPerS >= FULL * mssBytes * segmentsPerS;
  return full ? Math.min(segmentsPerS, bytesPerS / BURST_BYTES) : segmentsPerS;
}

type Sizes = Pick<Calibration, 'smallBytes' | 'largeBytes'>;

/** A cost between those of the two sizes that were measured, or beyond them; never below that of the small one. */
function between(small: number, large: number, { smallBytes, largeBytes }: Sizes, bytes: number): number {
  const perByte = Math.max(0, large - small) / (largeBytes - smallBytes);
  return small + perByte * Math.max(0, bytes - smallBytes);
}

const kernelMessageUs = ({ byKernel, ...sizes }: Calibration, bytes: number) =>
  between(byKernel.smallUs, byKernel.largeUs, sizes, bytes);

/**
 * Of a message that comes alone, as requests and answers do: half of a round trip in which nobody sleeps. In a stream the
 * lines of the ring that both ends write go to and fro for many messages at once.
 */
const memoryMessageUs = (calibration: Calibration, bytes: number) =>
  roundTripUs(calibration.byMemory, calibration, bytes) / 2;

const roundTripUs = (costs: TransportCosts, sizes: Sizes, bytes: number) =>
  between(costs.smallRoundTripUs, costs.largeRoundTripUs, sizes, bytes);

/** What moving the connections of a pair to shared memory would save: docs/advise.md has the model in words. */
export function predict(use: PairUse, calibration: Calibration): Prediction {
  const { byKernel, byMemory } = calibration;
  const flows = [use.toServer, use.toClient];
  const messagesPerS = flows.reduce((sum, flow) => sum + messagesOf(flow, use.mssBytes), 0);
  const bytes = messagesPerS === 0 ? 0 : flows.reduce((sum, { bytesPerS }) => sum + bytesPerS, 0) / messagesPerS;
  const estimatedCores = (messagesPerS * kernelMessageUs(calibration, bytes)) / 2 / 1e6;
  const paths = use.ends.map((end) => socketPath(end, estimatedCores, byKernel.wakeUpUs));
  const sum = (of: (path: SocketPath) => number) => paths.reduce((all, path) => all + of(path), 0);
  const messagesCores = (messagesPerS * memoryMessageUs(calibration, bytes)) / 1e6;
  const atWork = paths.map(({ cores, upkeep, all }) => all - cores + upkeep + messagesCores / 2);
  const memoryCores =
    sum(({ upkeep }) => upkeep) + messagesCores + waitingCores({ ...use, atWork, messagesPerS }, byKernel);
  const socketPathCores = sum(({ cores }) => cores);
  const [now, savedCores] = [sum(({ all }) => all), socketPathCores - memoryCores];
  return {
    socketPathCores,
    source: paths.every(({ sampled }) => sampled) ? 'sampled' : 'estimated',
    memoryCores,
    savedCores,
    ...(now > 0 ? { timesLessCpu: Math.min(MOST_TIMES, now / Math.max(now / MOST_TIMES, now - savedCores)) } : {}),
    roundTripUs: {
      byKernel: roundTripUs(byKernel, calibration, bytes),
      byMemory: roundTripUs(byMemory, calibration, bytes),
    },
  };
}

/** CPU of one end for this pair: all of it, in the kernel's socket path, and what of that stays there. */
interface SocketPath {
  all: number;
  cores: number;
  upkeep: number;
  sampled: boolean;
}

function socketPath(end: End, messagesCores: number, wakeUpUs: number): SocketPath {
  const { cpuCores, socketShare, socketShareSamples = 0, kernelShare = 1, partOfTraffic = 0, switchesPerS = 0 } = end;
  const { socketUpkeepShare = 0 } = end;
  const all = (cpuCores ?? 0) * partOfTraffic;
  if (cpuCores !== undefined && socketShare !== undefined && socketShareSamples >= LEAST_SAMPLES)
    return { all, cores: all * socketShare, upkeep: all * socketUpkeepShare, sampled: true };
  const estimated = messagesCores + (switchesPerS * partOfTraffic * wakeUpUs) / 1e6;
  const cores = cpuCores === undefined ? estimated : Math.min(estimated, all * kernelShare);
  return { all: Math.max(all, cores), cores, upkeep: 0, sampled: false };
}
