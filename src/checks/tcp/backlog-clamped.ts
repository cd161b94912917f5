import type { Listener } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, pass, unknown, warn } from '../findings.js';
import { setSysctls } from '../remedies.js';
import { dropGrowth, judgedListeners, listenerBefore, listenerSubject, nameOf, queueEvidence } from './sockets.js';

const KEY = 'net.core.somaxconn';
const DEEP_PERCENT = 80;
/** The kernel's default since 5.4. */
const DEFAULT = 4096;
/** Kernels of old keep a backlog in 16 bits. */
const LARGEST = 65_535;

export const backlogClamped = defineCheck({
  id: 'backlog-clamped',
  title: 'Backlogs cut down by somaxconn',
  category: 'tcp',
  scope: 'netns',
  priority: 45,
  page: {
    mechanism:
      'listen(fd, backlog) takes any number, but the kernel silently uses the smaller of it and net.core.somaxconn, as that was in this network namespace at the time of listen(). A listener whose backlog equals somaxconn got no more than the cap. Many programs ask for exactly the cap on purpose, so this alone is not a fault.',
    reads: 'The backlog of each listener by sock_diag (Send-Q of `ss -ltn`); net.core.somaxconn of the namespace.',
    threshold:
      'info: the backlog equals somaxconn. warn: and it also dropped connection attempts within the window, or at least 80 % of the queue was in use.',
    why: 'This listener runs into a limit that its own configuration cannot lift.',
    remedy:
      'If the program accepts as fast as it can and bursts still overflow the queue: raise net.core.somaxconn, then make the program listen again (restart, or a reload that reopens its sockets). If it accepts slowly, mend that first.',
    risk: 'A longer queue hides a slow program behind longer waits; each waiting connection holds memory.',
    undo: 'Set net.core.somaxconn back and restart the listener.',
    needs: 'restart of the listening program',
    tune: { keys: ['net.core.somaxconn'] },
    sources: [
      'https://docs.kernel.org/networking/ip-sysctl.html (somaxconn)',
      'listen(2): "If the backlog argument is greater than the value in /proc/sys/net/core/somaxconn, then it is silently capped to that value."',
    ],
  },
  judge(context: NetContext): Finding[] {
    const { net } = context;
    const cap = net.sysctlNumber(KEY);
    const listeners = judgedListeners(context);
    if (cap === undefined) return [unknown(`${KEY} could not be read`)];
    if (listeners === undefined) return [unknown('the sockets of this namespace could not be read')];
    const clamped = listeners.filter((listener) => listener.backlog === cap);
    if (clamped.length === 0)
      return [pass(`none of ${listeners.length} listeners is at ${KEY} (${cap})`, [net.sysctlEvidence(KEY)])];
    const suffering = clamped.filter((listener) => suffers(context, listener));
    return suffering.length > 0
      ? suffering.map((listener) => limited(context, listener, cap))
      : [atTheCap(context, clamped, cap)];
  },
});

function suffers(context: NetContext, listener: Listener): boolean {
  const deepest = Math.max(listener.queue, listenerBefore(context, listener)?.queue ?? 0);
  return dropGrowth(context, listener) > 0 || (100 * deepest) / (listener.backlog + 1) >= DEEP_PERCENT;
}

function limited(context: NetContext, listener: Listener, cap: number): Finding {
  const { net } = context;
  const to = Math.min(Math.max(2 * cap, DEFAULT), LARGEST);
  const drops = dropGrowth(context, listener);
  return warn(
    `${nameOf(listener)} got the backlog of ${KEY} (${cap}) and needs more: ${listener.queue} waiting, ${drops} dropped within the window`,
    [net.sysctlEvidence(KEY), ...queueEvidence(listener)],
    {
      subject: { ...listenerSubject(listener), key: KEY },
      weight: drops,
      ...(to > cap
        ? {
            remedy: {
              summary: `If it accepts as fast as it can, raise ${KEY} to ${to} and make the program listen again with a larger backlog`,
              ...setSysctls(net, { [KEY]: to }),
            },
          }
        : {}),
    },
  );
}

function atTheCap({ net }: NetContext, clamped: Listener[], cap: number): Finding {
  const [first] = clamped as [Listener, ...Listener[]];
  const which = clamped.length === 1 ? nameOf(first) : `${clamped.length} listeners, ${nameOf(first)} among them,`;
  return info(
    `${which} ${clamped.length === 1 ? 'has' : 'have'} the backlog of ${KEY} (${cap}); no trouble seen`,
    [
      net.sysctlEvidence(KEY),
      ...clamped.slice(0, 10).map((listener) => ({
        source: 'sock_diag',
        key: 'backlog',
        value: listener.backlog,
        unit: 'connections',
        scope: 'now' as const,
        subject: listenerSubject(listener),
      })),
    ],
    clamped.length === 1 ? { subject: { ...listenerSubject(first), key: KEY } } : { subject: { key: KEY } },
  );
}
