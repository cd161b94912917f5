import type { Evidence } from '../../model/results.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { fail, pass, unknown, warn } from '../findings.js';
import { sysctlEvidence } from '../view.js';
import { percent, powerOfTwo } from './numbers.js';
import { socketsRead, unseen } from './subjects.js';

const KEY = 'fs.epoll.max_user_watches';

export const epollWatches = defineCheck({
  id: 'epoll-watches',
  title: 'epoll watches per user',
  category: 'descriptor',
  scope: 'host',
  priority: 60,
  thresholds: {
    warnPercent: { default: 80, unit: '%', description: 'Watches of one user of fs.epoll.max_user_watches' },
    failPercent: { default: 95, unit: '%', description: 'Watches of one user of fs.epoll.max_user_watches' },
  },
  page: {
    mechanism:
      'Each descriptor that is registered with an epoll set is a watch and takes kernel memory. fs.epoll.max_user_watches limits them per user, over all processes of that user; beyond it epoll_ctl(EPOLL_CTL_ADD) fails with ENOSPC, and a server holds a connection that it will never be told about.',
    reads:
      'The watches listed in /proc/PID/fdinfo of the epoll descriptors of processes that listen, as far as they could be read, added up per user; fs.epoll.max_user_watches.',
    threshold:
      'warn: a user has more than 80 % of the limit. fail: 95 % or more. The count is a lower bound where sets could not be read.',
    why: 'Past the limit new connections are accepted and then never served.',
    remedy: 'Raise fs.epoll.max_user_watches; see whether watches of closed connections pile up.',
    risk: 'A watch takes about 160 bytes of kernel memory that cannot be swapped.',
    undo: `sysctl -w ${KEY}=<the former value>`,
    needs: 'nothing',
    tune: { keys: ['fs.epoll.max_user_watches'] },
    sources: [
      'https://docs.kernel.org/admin-guide/sysctl/fs.html (max_user_watches)',
      'epoll(7): /proc/sys/fs/epoll/max_user_watches',
      'epoll_ctl(2): ENOSPC',
    ],
  },
  judge({ host, snapshot, threshold }: HostContext): Finding[] {
    const limit = Number(host.facts.sysctls[KEY] ?? Number.NaN);
    if (Number.isNaN(limit)) return [unknown(`${KEY} could not be read`)];
    const watches = host.last.epollWatches;
    if (!watches || !socketsRead(snapshot))
      return [unknown('no epoll set could be read (needs CAP_SYS_PTRACE for those of others)')];
    const users = Object.entries(watches)
      .map(([uid, count]) => ({ uid, count, share: (100 * count) / limit }))
      .toSorted((a, b) => b.count - a.count);
    const near = users.filter((user) => user.share > threshold('warnPercent'));
    if (near.length === 0) {
      const most = users[0] ? `; the most has uid ${users[0].uid}: ${users[0].count}` : '';
      return [
        pass(`each user may have ${limit} epoll watches${most}`, users.slice(0, 3).map(row)),
        ...unseen(snapshot),
      ];
    }
    return [
      ...near.map((user): Finding => {
        const say = user.share >= threshold('failPercent') ? fail : warn;
        return say(
          `uid ${user.uid} has ${user.count} of ${limit} epoll watches (${percent(user.share)})`,
          [row(user), sysctlEvidence(KEY, String(limit))],
          { subject: { key: KEY }, weight: user.share, remedy: remedy(limit) },
        );
      }),
      ...unseen(snapshot),
    ];
  },
});

const row = ({ uid, count }: { uid: string; count: number }): Evidence => ({
  source: '/proc/PID/fdinfo',
  key: `epoll watches of uid ${uid}`,
  value: count,
  unit: '1',
  scope: 'now',
});

function remedy(limit: number): NonNullable<Finding['remedy']> {
  const wanted = powerOfTwo(2 * limit);
  return {
    summary: `Raise ${KEY} from ${limit} to ${wanted}`,
    commands: [`sysctl -w ${KEY}=${wanted}`],
    tunes: [{ key: KEY, from: String(limit), to: String(wanted) }],
    undo: `sysctl -w ${KEY}=${limit}`,
  };
}
