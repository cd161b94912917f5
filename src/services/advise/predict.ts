import type { Calibration, Prediction, TransportCosts } from '../../model/advise.js';
import type { PairFlow } from '../../probes/connections.js';
import { present } from '../../probes/link-sysfs.js';
import type { End, PairReading } from './readings.js';
import { EXPECTED, LEAST, LEAST_OWN, MOST, type Staying } from './staying.js';
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

/** What was read of a pair, as far as its traffic is known. */
export function pairUse({ pair, client, server, othersCores }: PairReading): PairUse | undefined {
  const { toServer, toClient, connections, mssBytes } = pair;
  if (!toServer || !toClient) return undefined;
  return { ends: [client, server], toServer, toClient, connections, othersCores, ...present('mssBytes', mssBytes) };
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

const roundTripUs = (costs: TransportCosts, sizes: Sizes, bytes: number) =>
  between(costs.smallRoundTripUs, costs.largeRoundTripUs, sizes, bytes);

/** Wake-ups come in steps: the figure of most, or least, need not be the last. */
const rangeOf = (figures: readonly number[]): [number, number] => [Math.min(...figures), Math.max(...figures)];

/** What moving the connections of a pair to shared memory would save: docs/advise.md has the model in words. */
export function predict(use: PairUse, calibration: Calibration): Prediction {
  const { byKernel, byMemory } = calibration;
  const traffic = trafficOf(use);
  const paths = use.ends.map((end) => socketPath(end, traffic, calibration));
  const [now, socketPathCores] = [sum(paths, ({ all }) => all), sum(paths, ({ cores }) => cores)];
  const after = (staying: Staying) => coresAfter({ use, traffic, paths, calibration, staying });
  const { own, byMemory: memoryCores } = after(EXPECTED);
  const undisturbedCores = now - socketPathCores - own;
  const times = (cores: Cores) => Math.min(MOST_TIMES, now / Math.max(now / MOST_TIMES, cores.own + cores.byMemory));
  return {
    socketPathCores,
    source: paths.every(({ sampled }) => sampled) ? 'sampled' : 'estimated',
    memoryCores,
    undisturbedCores,
    savedCores: socketPathCores + undisturbedCores - memoryCores,
    ...(now > 0
      ? {
          timesLessCpu: times({ own, byMemory: memoryCores }),
          timesLessCpuBetween: rangeOf([after(MOST), after(EXPECTED), after(LEAST)].map(times)),
        }
      : {}),
    roundTripUs: {
      byKernel: roundTripUs(byKernel, calibration, traffic.bytes),
      byMemory: roundTripUs(byMemory, calibration, traffic.bytes),
    },
  };
}

interface Traffic {
  messagesPerS: number;
  /** Of a message, the mean. */
  bytes: number;
}

function trafficOf({ toServer, toClient, mssBytes }: PairUse): Traffic {
  const flows = [toServer, toClient];
  const messagesPerS = sum(flows, (flow) => messagesOf(flow, mssBytes));
  return { messagesPerS, bytes: messagesPerS === 0 ? 0 : sum(flows, ({ bytesPerS }) => bytesPerS) / messagesPerS };
}

/** CPU of one end for this pair: all of it, in the kernel's socket path, and what of that stays there. */
interface SocketPath {
  all: number;
  cores: number;
  upkeep: number;
  /** Threads that never touch a socket: they stay as they are. */
  aside: number;
  sampled: boolean;
  /** Of `cores`, where it was sampled. */
  standardError: number;
}

function socketPath(end: End, { messagesPerS, bytes }: Traffic, calibration: Calibration): SocketPath {
  const { cpuCores, socketShare, socketShareSamples = 0, kernelShare = 1, partOfTraffic = 0, switchesPerS = 0 } = end;
  const { socketUpkeepShare = 0, asideShare = 0 } = end;
  const all = (cpuCores ?? 0) * partOfTraffic;
  if (cpuCores !== undefined && socketShare !== undefined && socketShareSamples >= LEAST_SAMPLES) {
    const standardError = all * Math.sqrt((socketShare * (1 - socketShare)) / socketShareSamples);
    const [upkeep, aside] = [all * socketUpkeepShare, all * asideShare];
    return { all, cores: all * socketShare, upkeep, aside, sampled: true, standardError };
  }
  const messagesCores = (messagesPerS * kernelMessageUs(calibration, bytes)) / 2 / 1e6;
  const estimated = messagesCores + (switchesPerS * partOfTraffic * calibration.byKernel.wakeUpUs) / 1e6;
  const cores = cpuCores === undefined ? estimated : Math.min(estimated, all * kernelShare);
  return { all: Math.max(all, cores), cores, upkeep: 0, aside: 0, sampled: false, standardError: 0 };
}

interface Parts {
  use: PairUse;
  traffic: Traffic;
  paths: readonly SocketPath[];
  calibration: Calibration;
  staying: Staying;
}

interface Cores {
  /** What the programs do besides. */
  own: number;
  /** Messages, what stays with the kernel, waiting. */
  byMemory: number;
}

/** CPU of both ends for the same traffic by memory. */
function coresAfter({ use, traffic, paths, calibration, staying }: Parts): Cores {
  const { messagesPerS, bytes } = traffic;
  const { byKernel, byMemory } = calibration;
  // A round trip is four halves of messages, one after the other: each end has two of them.
  const eventLoopUs = use.connections === 1 ? 0 : staying.eventLoop * byKernel.smallUs;
  const ofEach = (messagesPerS * (roundTripUs(byMemory, calibration, bytes) / 4 + eventLoopUs)) / 1e6;
  const disturbance = (messagesPerS * staying.disturbance * byKernel.smallUs) / 1e6;
  const ends = paths.map(({ all, cores, upkeep, aside, standardError }) => {
    const now = Math.min(all, Math.max(0, all - aside - cores + staying.errors * standardError));
    return { own: Math.max(LEAST_OWN * now, now - disturbance), byMemory: upkeep * staying.upkeep + ofEach };
  });
  const atWork = ends.map(({ own, byMemory }) => own + byMemory);
  const waiting = waitingCores({ ...use, atWork, messagesPerS, staying }, byKernel);
  const own = sum(ends, (end) => end.own) + sum(paths, ({ aside }) => aside);
  return { own, byMemory: sum(ends, ({ byMemory }) => byMemory) + waiting };
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}
