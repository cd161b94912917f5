import type { Listener } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { fail, pass, unknown, warn } from '../findings.js';
import { judgedListeners, listenerBefore, listenerSubject, nameOf, queueEvidence } from './sockets.js';

/** Below this many places one waiting connection is a large share, and means nothing at a single look. */
const SMALL = 5;
const FAIL_PERCENT = 95;

export const acceptQueueDepth = defineCheck({
  id: 'accept-queue-depth',
  title: 'Accept queue depth',
  category: 'tcp',
  scope: 'netns',
  priority: 80,
  thresholds: {
    percent: { default: 80, unit: '%', description: 'Share of the accept queue in use that is a warning.' },
  },
  page: {
    mechanism:
      'Connections that completed their handshake wait in the accept queue of their listener. It holds backlog + 1 of them; the next one is dropped. A queue that stands nearly full means that the program accepts more slowly than clients arrive, or not at all.',
    reads:
      'Queue and backlog of each listener by sock_diag (Recv-Q and Send-Q of `ss -ltn`), at both ends of the window.',
    threshold:
      'warn: at least 80 % of backlog + 1 in use at a reading. fail: at least 95 % at both readings. Queues of fewer than 5 places: warn only when full at both readings.',
    why: 'Little is missing until clients are dropped, and those that wait here wait for nothing but accept().',
    remedy:
      'Find out what keeps the program from accepting: a blocked event loop (sockdoc check --only run-queue-delay), all workers busy, a lock. Raise the backlog in its configuration and net.core.somaxconn only to ride out bursts.',
    risk: 'A longer queue hides a slow program behind longer waits.',
    undo: 'Set the former backlog and net.core.somaxconn again and restart the listener.',
    needs: 'restart of the listening program, for a new backlog',
    sources: ['listen(2): the backlog argument', 'ss(8): Recv-Q and Send-Q of listening sockets'],
  },
  judge(context: NetContext): Finding[] {
    const listeners = judgedListeners(context);
    if (listeners === undefined) return [unknown('the sockets of this namespace could not be read')];
    const deep = listeners.flatMap((listener) => depth(context, listener) ?? []);
    if (deep.length > 0) return deep;
    const fullest = listeners.toSorted((a, b) => share(b) - share(a))[0];
    if (!fullest) return [pass('no TCP listener in this namespace')];
    return [
      pass(
        `${listeners.length} listeners, the fullest is ${nameOf(fullest)} with ${fullest.queue} of ${fullest.backlog}`,
        queueEvidence(fullest),
      ),
    ];
  },
});

/** sk_acceptq_is_full() compares with ">": a backlog of N holds N + 1. */
const capacity = (listener: Listener): number => listener.backlog + 1;
const share = (listener: Listener): number => (100 * listener.queue) / capacity(listener);

function depth(context: NetContext, listener: Listener): Finding | undefined {
  const before = listenerBefore(context, listener);
  const highest = Math.max(share(listener), before ? share(before) : 0);
  const standing = before ? Math.min(share(listener), share(before)) : 0;
  const small = capacity(listener) < SMALL;
  if (small ? standing < 100 : highest < context.threshold('percent')) return undefined;
  const finding = standing >= FAIL_PERCENT && !small ? fail : warn;
  const waits = standing >= context.threshold('percent') ? ' at both readings' : '';
  return finding(
    `${nameOf(listener)} has ${listener.queue} connections waiting, room for ${capacity(listener)}; up to ${Math.round(highest)} % full${waits}`,
    [
      ...queueEvidence(listener),
      ...(before
        ? [{ source: 'sock_diag', key: 'queue at the first reading', value: before.queue, unit: 'connections' }]
        : []),
    ],
    { subject: listenerSubject(listener), weight: highest },
  );
}
