import type { Check } from '../check.js';
import { abortOnOverflow } from './abort-on-overflow.js';
import { acceptQueueDepth } from './accept-queue-depth.js';
import { backlogClamped } from './backlog-clamped.js';
import { closeWaitLeak } from './close-wait-leak.js';
import { coreBuffers } from './core-buffers.js';
import { ephemeralPorts } from './ephemeral-ports.js';
import { fastopen } from './fastopen.js';
import { idleRestart } from './idle-restart.js';
import { listenDrop } from './listen-drop.js';
import { listenOverflow } from './listen-overflow.js';
import { mtuProbing } from './mtu-probing.js';
import { notsent } from './notsent.js';
import { orphans } from './orphans.js';
import { pinnedBuffers } from './pinned-buffers.js';
import { receivePrune } from './receive-prune.js';
import { reservedPorts } from './reserved-ports.js';
import { socketBacklog } from './socket-backlog.js';
import { socketDrops } from './socket-drops.js';
import { synQueue } from './syn-queue.js';
import { syncookies } from './syncookies.js';
import { tcpFeatures } from './tcp-features.js';
import { tcpMemory } from './tcp-memory.js';
import { timeWait } from './time-wait.js';
import { timestamps } from './timestamps.js';
import { twReuse } from './tw-reuse.js';
import { windowLimited } from './window-limited.js';
import { zerocopyMemory } from './zerocopy-memory.js';

/** Listeners, ports, TCP memory, windows and features. */
export const tcpChecks: readonly Check[] = [
  listenOverflow,
  listenDrop,
  acceptQueueDepth,
  backlogClamped,
  synQueue,
  syncookies,
  abortOnOverflow,
  fastopen,
  ephemeralPorts,
  reservedPorts,
  timeWait,
  twReuse,
  orphans,
  closeWaitLeak,
  tcpMemory,
  receivePrune,
  socketBacklog,
  socketDrops,
  windowLimited,
  pinnedBuffers,
  coreBuffers,
  tcpFeatures,
  timestamps,
  zerocopyMemory,
  notsent,
  idleRestart,
  mtuProbing,
];
