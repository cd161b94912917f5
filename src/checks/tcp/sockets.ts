import type { Evidence, Subject } from '../../model/results.js';
import type { Connection, Listener } from '../../model/snapshot/index.js';
import type { NetContext } from '../check.js';
import { judgedPids } from '../view.js';

/** Listeners to judge at the last reading: of the selection, where there is one; never sockdoc's own. */
export function judgedListeners({ snapshot, net }: NetContext): Listener[] | undefined {
  const judged = judgedPids(snapshot);
  return net.last.sockets?.listeners.filter(({ owners }) =>
    owners.length === 0 ? snapshot.selection.pids === undefined : owners.some((owner) => judged(owner.pid)),
  );
}

/** Connections of the digest to judge, likewise. */
export function judgedConnections({ snapshot, net }: NetContext): Connection[] | undefined {
  const judged = judgedPids(snapshot);
  return net.last.sockets?.connections.filter(({ pid }) =>
    pid === undefined ? snapshot.selection.pids === undefined : judged(pid),
  );
}

/** The same listener at the first reading, by cookie: addresses may be used again within the window. */
export function listenerBefore({ net }: NetContext, listener: Listener): Listener | undefined {
  return net.first?.sockets?.listeners.find((other) => other.cookie === listener.cookie);
}

/** What a listener dropped within the window; what it dropped in all, when it was made within it. */
export function dropGrowth(context: NetContext, listener: Listener): number {
  if (context.net.first === undefined) return 0;
  return (listener.drops ?? 0) - (listenerBefore(context, listener)?.drops ?? 0);
}

/** "0.0.0.0:80 (nginx, pid 7)" */
export function nameOf(listener: Listener): string {
  const owner = listener.owners[0];
  return `${listener.local} (${owner ? `${owner.comm}, pid ${owner.pid}` : 'owner not visible'})`;
}

export function listenerSubject(listener: Listener): Subject {
  const owner = listener.owners[0];
  return { ...(owner ? { pid: owner.pid, comm: owner.comm, fd: owner.fd } : {}), listener: listener.local };
}

export const queueEvidence = (listener: Listener): Evidence[] => [
  { source: 'sock_diag', key: 'queue', value: listener.queue, unit: 'connections', scope: 'now' },
  { source: 'sock_diag', key: 'backlog', value: listener.backlog, unit: 'connections', scope: 'now' },
];

export const dropEvidence = (drops: number): Evidence => ({
  source: 'sock_diag skmem',
  key: 'drops',
  value: drops,
  unit: 'packets',
  scope: 'window',
});

/** "10.0.0.1:80 -> 10.0.0.2:40000 (nginx, pid 7)" */
export function connectionName(connection: Connection): string {
  const { local, remote, pid, comm } = connection;
  return `${local} -> ${remote} (${pid === undefined ? 'owner not visible' : `${comm ?? '?'}, pid ${pid}`})`;
}

export function connectionSubject({ local, remote, pid, comm, fd }: Connection): Subject {
  return {
    ...(pid !== undefined ? { pid } : {}),
    ...(comm !== undefined ? { comm } : {}),
    ...(fd !== undefined ? { fd } : {}),
    connection: `${local} -> ${remote}`,
  };
}
