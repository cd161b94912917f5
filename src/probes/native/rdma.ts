import type { Gap } from '../../model/gap.js';
import type { RdmaMaxima } from '../../model/snapshot/index.js';
import { addon } from './addon.js';

/** A device as libibverbs opens it; `errno` (a name, "EACCES") where it could not be opened. */
export interface VerbsDevice {
  name: string;
  error?: string;
  errno?: string;
  maxima?: RdmaMaxima;
  ports?: { port: number; activeMtu: number; maxMtu: number }[];
}

/** What RDMA netlink and libibverbs say: src/probes/rdma.ts adds sysfs. */
export interface RdmaAnswer {
  netlink: boolean;
  devices: {
    name: string;
    driver?: string;
    ports: { port: number; interface?: string }[];
    /** In use now, by kind. */
    resources?: Record<string, number>;
  }[];
  /** `devices` of those that have a provider in user space. */
  verbs: { library?: string; error?: string; devices?: VerbsDevice[] };
  gaps: Gap[];
}

/** What the addon exports of it. */
interface Part {
  rdma(): Promise<string>;
}

/** RDMA devices by netlink and verbs. */
export async function readRdma(): Promise<RdmaAnswer> {
  return JSON.parse(await addon<Part>().rdma()) as RdmaAnswer;
}
