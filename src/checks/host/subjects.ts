import type { Process, Snapshot } from '../../model/snapshot/index.js';
import type { Finding } from '../check.js';
import { notApplicable, unknown } from '../findings.js';

/** "nginx (pid 42)": how a process is named in a sentence. */
export const named = (process: { comm: string; pid: number }): string => `${process.comm} (pid ${process.pid})`;

/** "a, b and 3 more", for lists that may be long. */
export function listed(items: readonly string[], shown = 4): string {
  if (items.length <= shown + 1) return items.join(', ');
  return `${items.slice(0, shown).join(', ')} and ${items.length - shown} more`;
}

/** The systemd unit that a process runs in, by its cgroup: "nginx.service". */
export function unitOf(process: Pick<Process, 'cgroup'>): string | undefined {
  const units = (process.cgroup ?? '').split('/').filter((part) => part.endsWith('.service'));
  return units.at(-1);
}

/**
 * Pids that serve sockets: they listen, or hold connections that were accepted on a listener. A program that is
 * only a client (a download, a package manager) is not judged for its scheduling, unless it was asked for by name.
 */
export function servingPids(snapshot: Snapshot): (process: Pick<Process, 'pid' | 'tcp'>) => boolean {
  const asked = new Set(snapshot.selection.pids);
  const serving = new Set(
    (snapshot.readings.at(-1)?.netns ?? []).flatMap((netns) =>
      (netns.sockets?.listeners ?? []).flatMap((listener) => listener.serving.map((process) => process.pid)),
    ),
  );
  return ({ pid, tcp }) => asked.has(pid) || serving.has(pid) || (tcp.listen ?? 0) > 0;
}

/** What the socket probe says when it may not look into a process; a gap of its other rows hides no process. */
const HIDDEN = /^(descriptors of other users|epoll sets|system calls of threads)/;

/** One `unknown` when processes of others could not be looked into: what was judged is then not the whole host. */
export function unseen(snapshot: Snapshot): Finding[] {
  const worst = snapshot.gaps.filter((gap) => HIDDEN.test(gap.what) && gap.needs)[0];
  if (!worst) return [];
  const count = worst.count ?? 1;
  return [
    unknown(`not all processes could be read (${worst.what}: ${worst.reason}); needs ${worst.needs}`, [
      { source: worst.what, key: 'unreadable', value: count, unit: '1', scope: 'now' },
    ]),
  ];
}

/** Whether sock_diag answered: without it nobody is known to listen or to serve. */
export const socketsRead = (snapshot: Snapshot): boolean =>
  (snapshot.readings.at(-1)?.netns ?? []).some((netns) => netns.sockets !== undefined);

/** What a check over processes says when it has none to judge; without sockets it is not known who serves. */
export function nothingToJudge(snapshot: Snapshot, what: string): Finding[] {
  if (!socketsRead(snapshot))
    return [unknown('the sockets of this host could not be read, so who serves is not known')];
  const hidden = unseen(snapshot);
  return hidden.length > 0 ? hidden : [notApplicable(what)];
}
