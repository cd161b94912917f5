import type { Check } from '../check.js';
import { acceptStrategy } from './accept-strategy.js';
import { cgroupSockets } from './cgroup-sockets.js';
import { contextSwitches } from './context-switches.js';
import { cstates } from './cstates.js';
import { epollWatches } from './epoll-watches.js';
import { fdLeak } from './fd-leak.js';
import { fdLimit } from './fd-limit.js';
import { fdSelect } from './fd-select.js';
import { fileMax } from './file-max.js';
import { governor } from './governor.js';
import { kernelShare } from './kernel-share.js';
import { localTraffic } from './local-traffic.js';
import { minFree } from './min-free.js';
import { nrOpen } from './nr-open.js';
import { numaBalancing } from './numa-balancing.js';
import { processPerConnection } from './process-per-connection.js';
import { runQueueDelay } from './run-queue-delay.js';
import { steal } from './steal.js';
import { swap } from './swap.js';
import { thp } from './thp.js';
import { throttling } from './throttling.js';

/** Scheduler, memory, descriptors, and how programs use sockets. */
export const hostChecks: readonly Check[] = [
  runQueueDelay,
  contextSwitches,
  throttling,
  steal,
  cgroupSockets,
  governor,
  cstates,
  numaBalancing,
  thp,
  swap,
  minFree,
  fdLimit,
  fdSelect,
  fdLeak,
  nrOpen,
  fileMax,
  epollWatches,
  processPerConnection,
  acceptStrategy,
  kernelShare,
  localTraffic,
];
