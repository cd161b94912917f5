import type { Check } from './check.js';
import { hostChecks } from './host/index.js';
import { netChecks } from './net/index.js';
import { nicChecks } from './nic/index.js';
import { rdmaChecks } from './rdma/index.js';
import { tcpChecks } from './tcp/index.js';

/** The catalogue, in the order in which it is shown. */
export const checks: readonly Check[] = [...tcpChecks, ...netChecks, ...nicChecks, ...hostChecks, ...rdmaChecks];
