import type { Check } from '../check.js';
import { busyPoll } from './busy-poll.js';
import { channels } from './channels.js';
import { coalescing } from './coalescing.js';
import { enaAllowance } from './ena-allowance.js';
import { irqAffinity } from './irq-affinity.js';
import { link } from './link.js';
import { napiDefer } from './napi-defer.js';
import { nicCapabilities } from './nic-capabilities.js';
import { nicNuma } from './nic-numa.js';
import { offloads } from './offloads.js';
import { rfs } from './rfs.js';
import { ring } from './ring.js';
import { rps } from './rps.js';
import { softnetDropped } from './softnet-dropped.js';
import { softnetSkew } from './softnet-skew.js';
import { softnetSqueezed } from './softnet-squeezed.js';

/** Interfaces and the path of a packet to its socket. */
export const nicChecks: readonly Check[] = [
  softnetDropped,
  softnetSqueezed,
  softnetSkew,
  ring,
  channels,
  rps,
  irqAffinity,
  rfs,
  coalescing,
  busyPoll,
  napiDefer,
  offloads,
  enaAllowance,
  link,
  nicNuma,
  nicCapabilities,
];
