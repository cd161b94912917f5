import type { Conntrack } from '../../model/snapshot/index.js';
import type { FileProbe } from '../files.js';
import { parseStatistics } from './statistics.js';

const COUNT = '/proc/sys/net/netfilter/nf_conntrack_count';
const MAX = '/proc/sys/net/netfilter/nf_conntrack_max';
const STATISTICS = '/proc/thread-self/net/stat/nf_conntrack';

/** Absent where the kernel tracks no connections. */
export const conntrack: FileProbe<Conntrack | undefined> = {
  name: 'conntrack',
  wants: { files: [COUNT, MAX, STATISTICS] },
  parse(found) {
    const count = found.integer(COUNT);
    const max = found.integer(MAX);
    if (count === undefined || max === undefined) {
      if (found.error(COUNT) === 'EACCES') found.missing(COUNT);
      return undefined;
    }
    const text = found.text(STATISTICS);
    if (text === undefined && found.error(STATISTICS) !== 'ENOENT') found.missing(STATISTICS, 'CAP_NET_ADMIN');
    return { count, max, statistics: parseStatistics(text ?? '').sums };
  },
};
