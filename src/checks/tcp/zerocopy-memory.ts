import type { Evidence } from '../../model/results.js';
import type { Process } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { notApplicable, pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';

const KEY = 'net.core.optmem_max';
/** 128 KiB: the default of current kernels, raised for MSG_ZEROCOPY. */
const ENOUGH = 131_072;

export const zerocopyMemory = defineCheck({
  id: 'zerocopy-memory',
  title: 'Memory for MSG_ZEROCOPY',
  category: 'socket',
  scope: 'netns',
  priority: 25,
  page: {
    mechanism:
      'A send with MSG_ZEROCOPY pins the pages of the program and tells it on the error queue when they are free. Each notification pending takes option memory of the socket (net.core.optmem_max), the pinned pages count against RLIMIT_MEMLOCK of the user. When either is used up, send() fails with ENOBUFS and the program falls back to copying, or stops.',
    reads:
      'SO_ZEROCOPY of the picked connections (through a duplicate of the descriptor); net.core.optmem_max of the namespace; RLIMIT_MEMLOCK in /proc/PID/limits.',
    threshold:
      'warn: a process uses SO_ZEROCOPY, and net.core.optmem_max or its RLIMIT_MEMLOCK is below 128 KiB. not-applicable: nobody uses it.',
    why: 'The program pays for zero copy and often copies all the same.',
    remedy:
      'net.core.optmem_max of at least 131072; LimitMEMLOCK= of the unit as large as what is in flight. Zero copy only pays for writes above about 10 KB, and never over loopback, where the kernel always copies.',
    risk: 'Locked memory cannot be swapped.',
    undo: 'Set net.core.optmem_max, or LimitMEMLOCK=, to what it was.',
    needs: 'restart of the application, for the limit',
    tune: { keys: ['net.core.optmem_max'] },
    sources: [
      'https://docs.kernel.org/networking/msg_zerocopy.html',
      'https://docs.kernel.org/admin-guide/sysctl/net.html (optmem_max)',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const users = net.processes.map((pair) => pair.last).filter((process) => process.zeroCopy === true);
    if (users.length === 0) return [notApplicable('no socket looked at uses SO_ZEROCOPY')];
    const optmem = net.sysctlNumber(KEY);
    const findings = users.flatMap((user) => shortOf(context, user, optmem));
    if (findings.length > 0) return findings;
    if (optmem === undefined) return [unknown(`${KEY} could not be read`)];
    return [pass(`${users.length} processes use SO_ZEROCOPY and have room for it`, [net.sysctlEvidence(KEY)])];
  },
});

function shortOf({ net }: NetContext, user: Process, optmem: number | undefined): Finding[] {
  const subject = { pid: user.pid, comm: user.comm };
  const who = `${user.comm} (pid ${user.pid}) uses SO_ZEROCOPY`;
  const found: Finding[] = [];
  if (optmem !== undefined && optmem < ENOUGH)
    found.push(
      warn(`${who}, and ${KEY} is only ${optmem} bytes`, [net.sysctlEvidence(KEY)], {
        subject: { ...subject, key: KEY },
        remedy: { summary: `Raise ${KEY}`, ...setSysctls(net, { [KEY]: ENOUGH }), needs: 'nothing' },
      }),
    );
  const limit = user.memlockBytes;
  if (limit !== undefined && user.memlockUnlimited !== true && limit < ENOUGH)
    found.push(
      warn(`${who}, and may lock only ${limit} bytes of memory`, [memlock(user, limit)], {
        subject,
        remedy: {
          summary:
            'Raise RLIMIT_MEMLOCK: LimitMEMLOCK=8M in its unit, or for the running process, as far as its hard limit allows:',
          commands: [`prlimit --pid ${user.pid} --memlock=8388608:`],
          undo: `prlimit --pid ${user.pid} --memlock=${limit}:`,
          needs: 'nothing; a restart for the unit setting',
        },
      }),
    );
  return found;
}

const memlock = ({ pid }: Process, limit: number): Evidence => ({
  source: `/proc/${pid}/limits`,
  key: 'RLIMIT_MEMLOCK',
  value: limit,
  unit: 'bytes',
  scope: 'now',
});
