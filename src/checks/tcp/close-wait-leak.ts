import type { Process } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, pass, warn } from '../findings.js';
import type { Pair } from '../view.js';

const STATE = 'close-wait';

export const closeWaitLeak = defineCheck({
  id: 'close-wait-leak',
  title: 'Connections that a program forgets to close',
  category: 'tcp',
  scope: 'netns',
  priority: 65,
  thresholds: {
    count: {
      default: 50,
      unit: 'sockets',
      description: 'Sockets of one process in CLOSE_WAIT from which on it counts.',
    },
  },
  page: {
    mechanism:
      'CLOSE_WAIT means: the peer has closed its side, and the program here has not closed its own. Nothing but the program ends this state; there is no timeout. A count that only grows is a leak of descriptors: connections dropped by the program without close(), typically on an error path or in a pool that does not look at its idle connections.',
    reads: 'TCP sockets per state and process, by sock_diag joined with /proc/PID/fd, at both ends of the window.',
    threshold:
      'warn: at least 50 in one process, and more at the end of the window than at its beginning (unless all of those looked at are younger than the window: then they come and go). info: at least 50, not growing within the window.',
    why: 'The process runs towards its descriptor limit, and then accepts and connects no more.',
    remedy:
      'An application bug: no sysctl helps. Look which peers they are (ss -tnp state close-wait), and find the path that leaves a connection after read() gave 0. A restart of the program frees them for a while.',
    risk: 'A restart interrupts service.',
    undo: 'Nothing was changed.',
    needs: 'a fix in the application; a restart meanwhile',
    sources: ['RFC 9293, section 3.3.2 (CLOSE-WAIT)', 'tcp(7)'],
  },
  judge(context: NetContext): Finding[] {
    const { net, threshold } = context;
    const counted = net.processes.map((process) => ({
      process,
      now: count(process.last),
      before: count(process.first),
    }));
    const many = counted.filter(({ now }) => now >= threshold('count'));
    if (many.length === 0) {
      const most = Math.max(0, ...counted.map(({ now }) => now));
      return [pass(`at most ${most} connections in CLOSE_WAIT in one process`, [evidenceOf(most, 'now')])];
    }
    return many.map(({ process, now, before }) => leak(context, process, now, now - before));
  },
});

const count = (process: Process | undefined): number => process?.tcp[STATE] ?? 0;

const evidenceOf = (value: number, scope: 'now' | 'window') => ({
  source: 'sock_diag',
  key: 'CLOSE_WAIT',
  value,
  unit: 'sockets',
  scope,
});

function leak(context: NetContext, { first, last }: Pair<Process>, now: number, growth: number): Finding {
  const subject = { pid: last.pid, comm: last.comm };
  const who = `${last.comm} (pid ${last.pid})`;
  if (first === undefined || growth <= 0 || allYoung(context, last.pid))
    return info(
      `${who} has ${now} connections in CLOSE_WAIT, ${first === undefined ? 'one reading shows no growth' : 'not growing within the window'}`,
      [evidenceOf(now, 'now')],
      { subject, weight: now },
    );
  return warn(
    `${who} has ${now} connections in CLOSE_WAIT, ${growth} more than at the beginning of the window`,
    [evidenceOf(growth, 'window'), evidenceOf(now, 'now')],
    { subject, weight: growth },
  );
}

/**
 * A busy server closes each connection milliseconds after its peer did, and many may be in CLOSE_WAIT at any moment.
 * The oldest of the namespace are in the digest: when those of this process are all younger than the window, they
 * come and go.
 */
function allYoung({ net }: NetContext, pid: number): boolean {
  const windowMs = net.windowMs ?? 0;
  const seen = (net.last.sockets?.connections ?? []).filter((c) => c.pid === pid && c.state === STATE);
  return seen.length > 0 && seen.every(({ lastAckReceivedMs }) => (lastAckReceivedMs ?? Infinity) < windowMs);
}
