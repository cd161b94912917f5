import { conntrack } from './conntrack.js';
import { counters } from './counters.js';
import { neighbours } from './neighbours.js';
import { sockstat } from './sockstat.js';
import { netSysctls } from './sysctls.js';

/** Read once per snapshot in each namespace. */
export const netnsFactProbes = { sysctls: netSysctls };

/** Read at both ends of the window in each namespace. */
export const netnsReadingProbes = { counters, sockstat, conntrack, neighbours };
