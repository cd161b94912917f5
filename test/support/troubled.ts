import { listenerOf, processOf, type SnapshotParts } from './snapshot.js';

/** A host in trouble: an accept queue that overflows (fail), timestamps off (warn). */
export const troubled: SnapshotParts = {
  windowMs: 1000,
  net: { sysctls: { 'net.ipv4.tcp_timestamps': '0' } },
  first: {
    net: { counters: { TcpExtListenOverflows: 5 } },
    sockets: { listeners: [listenerOf({ drops: 2 })] },
  },
  last: {
    host: { processes: [processOf()] },
    net: { counters: { TcpExtListenOverflows: 17 } },
    sockets: { listeners: [listenerOf({ drops: 14, queue: 129 })] },
  },
};
