import type { Check } from '../check.js';
import { congestionControl } from './congestion-control.js';
import { conntrack } from './conntrack.js';
import { dropReasons } from './drop-reasons.js';
import { hostCapabilities } from './host-capabilities.js';
import { hostQueueRtx } from './host-queue-rtx.js';
import { ipLevel } from './ip-level.js';
import { keepalive } from './keepalive.js';
import { kernelLog } from './kernel-log.js';
import { mptcp } from './mptcp.js';
import { multihoming } from './multihoming.js';
import { nagleStall } from './nagle-stall.js';
import { neighbours } from './neighbours.js';
import { qdisc } from './qdisc.js';
import { retransmits } from './retransmits.js';
import { sysctlConflict } from './sysctl-conflict.js';
import { sysctlStale } from './sysctl-stale.js';
import { udpBuffers } from './udp-buffers.js';
import { unixSockets } from './unix-sockets.js';
import { zeroWindow } from './zero-window.js';

/** Loss, paths, UDP, UNIX sockets, tables of the stack, and where its settings come from. */
export const netChecks: readonly Check[] = [
  retransmits,
  hostQueueRtx,
  zeroWindow,
  nagleStall,
  qdisc,
  congestionControl,
  keepalive,
  mptcp,
  multihoming,
  udpBuffers,
  unixSockets,
  conntrack,
  neighbours,
  ipLevel,
  dropReasons,
  kernelLog,
  sysctlConflict,
  sysctlStale,
  hostCapabilities,
];
