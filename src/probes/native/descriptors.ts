import type { Gap } from '../../model/gap.js';
import type { Process } from '../../model/snapshot/index.js';
import type { DescriptorDetail } from '../../model/views/descriptors.js';
import { addon } from './addon.js';

export interface DescriptorsRequest {
  /** Only these processes; left out: all that may be seen. */
  pids?: number[];
  /** Also every descriptor of the first of them, with its other end. */
  detail?: boolean;
  /** Read epoll sets of processes with very many descriptors too, which holds these up. */
  allWatches?: boolean;
}

/** Descriptors of one process by kind, its sockets by protocol and state. */
export interface ProcessDescriptors
  extends Pick<
    Process,
    'pid' | 'ppid' | 'comm' | 'uid' | 'startTicks' | 'netns' | 'children' | 'descriptors' | 'tcp' | 'udp' | 'unix'
  > {
  /** False: its network namespace could not be read, `tcp` and the like do not count. */
  socketsRead: boolean;
  epollSets: number;
  kinds: Record<string, number>;
}

export interface DescriptorsAnswer {
  monotonicMs: number;
  /** Without those whose descriptors may not be read. */
  processes: ProcessDescriptors[];
  /** Of `pids`: those whose descriptors may not be read. */
  denied: number[];
  descriptors?: DescriptorDetail[];
  gaps: Gap[];
}

/** What the addon exports of it. */
interface Part {
  descriptors(request: DescriptorsRequest): Promise<string>;
}

/** What processes have open. */
export async function readDescriptors(request: DescriptorsRequest): Promise<DescriptorsAnswer> {
  return JSON.parse(await addon<Part>().descriptors(request)) as DescriptorsAnswer;
}
