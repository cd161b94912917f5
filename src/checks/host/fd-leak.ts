import type { Evidence } from '../../model/results.js';
import type { Process } from '../../model/snapshot/index.js';
import { defineCheck, type Finding, type HostContext } from '../check.js';
import { info, notApplicable, pass, warn } from '../findings.js';
import type { HostView, Pair } from '../view.js';
import { inheritable } from './inheritable.js';
import { percent } from './numbers.js';
import { named, nothingToJudge, unseen } from './subjects.js';

/** Shorter windows cannot tell a leak from a busy second. */
const MIN_WINDOW_MS = 30_000;
const DAY_S = 86_400;
/** Connections that are alive: descriptors that grow with them are load, not a leak. */
const LIVE = ['established', 'syn-sent', 'syn-recv', 'fin-wait-1', 'fin-wait-2'] as const;

export const fdLeak = defineCheck({
  id: 'fd-leak',
  title: 'Descriptors that pile up or are passed on',
  category: 'descriptor',
  scope: 'host',
  priority: 50,
  thresholds: {
    growth: { default: 20, unit: '1', description: 'Descriptors gained over the window beyond live connections' },
    relativePercent: { default: 10, unit: '%', description: 'The same, of what was open at the start' },
  },
  page: {
    mechanism:
      'A descriptor that a program forgets to close stays open until the process ends. Connections whose peer has gone stay in CLOSE_WAIT, files and pipes just count. Then accept() and open() fail with EMFILE, days after the start. Another leak goes sideways: a socket without close-on-exec is inherited by every program that is started, which keeps a port or a connection open that its owner has closed.',
    reads:
      'The entries of /proc/PID/fd and the connections of each process, at both ends of the window; the close-on-exec flag of its sockets in /proc/PID/fdinfo for processes that have children.',
    threshold:
      'Growth needs a window of 30 s or more (--window 30000) or an earlier snapshot. warn: 20 descriptors more than before, not counting live connections, and those are 10 % of the former number or reach the limit within a day. info: slower growth; sockets without close-on-exec in a process that started other programs.',
    why: 'At its descriptor limit the program stops accepting, at an hour that nobody chose.',
    remedy:
      'Find what grows: ls -l /proc/PID/fd shows the kind of each descriptor. Close in every path, also after errors. Open with O_CLOEXEC, SOCK_CLOEXEC, accept4(). A restart and a higher limit buy time.',
    risk: 'A higher limit hides the leak for longer.',
    undo: 'nothing was changed',
    needs: 'a change of the program',
    sources: ['close(2)', 'open(2): O_CLOEXEC', 'socket(2): SOCK_CLOEXEC', 'accept(2): accept4()', 'proc_pid_fd(5)'],
  },
  judge(context: HostContext): Finding[] {
    const { host, snapshot } = context;
    if (host.processes.length === 0) return nothingToJudge(snapshot, 'no process with sockets was found');
    const passedOn = inheritable(host, snapshot);
    const windowMs = host.windowMs ?? 0;
    if (windowMs < MIN_WINDOW_MS)
      return passedOn.length > 0
        ? passedOn
        : [notApplicable('growth needs a window of 30 s or more: run with --window 30000')];
    const grown = host.processes.flatMap((pair) => judgeProcess(context, pair, windowMs / 1000));
    const findings = [...grown, ...passedOn];
    return [...(findings.length > 0 ? findings : [healthy(host)]), ...unseen(snapshot)];
  },
});

const live = (process: Process): number => LIVE.reduce((sum, state) => sum + (process.tcp[state] ?? 0), 0);

function judgeProcess({ host, threshold }: HostContext, { first, last }: Pair<Process>, seconds: number): Finding[] {
  if (!first?.descriptors || !last.descriptors) return [];
  const before = first.descriptors.open;
  const gained = last.descriptors.open - before;
  const beyond = gained - Math.max(0, live(last) - live(first));
  if (beyond < threshold('growth')) return [];
  const limit = last.descriptors.softLimit;
  const full = limit === undefined ? undefined : (limit - last.descriptors.open) / (beyond / seconds);
  const share = (100 * beyond) / Math.max(1, before);
  const serious = share >= threshold('relativePercent') || (full !== undefined && full < DAY_S);
  const when =
    full !== undefined && serious ? `; at this rate it reaches its limit of ${limit} in ${duration(full)}` : '';
  const say = serious ? warn : info;
  return [
    say(
      `${named(last)} gained ${gained} descriptors in ${Math.round(seconds)} s (${before} to ${last.descriptors.open}, ${percent(share)} beyond its live connections)${when}`,
      evidence(first, last, gained),
      {
        subject: host.subject(last.pid),
        weight: beyond / seconds,
        remedy: {
          summary: `Find what grows in ${named(last)}, and close it in every path`,
          commands: [
            `ls -l /proc/${last.pid}/fd | awk 'NR > 1 {print $NF}' | sed 's/[0-9].*//' | sort | uniq -c | sort -rn | head`,
          ],
        },
      },
    ),
  ];
}

function evidence(first: Process, last: Process, gained: number): Evidence[] {
  const source = `/proc/${last.pid}/fd`;
  const state = (name: string): Evidence[] => {
    const value = (last.tcp[name] ?? 0) - (first.tcp[name] ?? 0);
    return value === 0 ? [] : [{ source: 'sock_diag', key: name, value, unit: 'connections', scope: 'window' }];
  };
  return [
    { source, key: 'open', value: gained, unit: '1', scope: 'window' },
    { source, key: 'open', value: last.descriptors?.open ?? 0, unit: '1', scope: 'now' },
    { source, key: 'sockets', value: last.descriptors?.sockets ?? 0, unit: '1', scope: 'now' },
    ...state('established'),
    ...state('close-wait'),
  ];
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 2 * DAY_S ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / DAY_S)} days`;
}

function healthy(host: HostView): Finding {
  return pass(
    `none of ${host.processes.length} processes gained descriptors beyond its live connections over ${Math.round((host.windowMs ?? 0) / 1000)} s`,
  );
}
