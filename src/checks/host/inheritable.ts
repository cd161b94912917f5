import type { Process, Snapshot } from '../../model/snapshot/index.js';
import type { Finding } from '../check.js';
import { info } from '../findings.js';
import type { HostView } from '../view.js';
import { listed, named } from './subjects.js';

/**
 * Processes whose sockets are not close-on-exec and that have children. A pool of forked workers shares its sockets
 * on purpose: where every child is seen and is the same program, nothing is said.
 */
export function inheritable(host: HostView, snapshot: Snapshot): Finding[] {
  const families = childrenByParent(host);
  return host.processes.flatMap(({ last: process }) => {
    const count = process.descriptors?.socketsInheritable ?? 0;
    if (count === 0 || process.children === 0) return [];
    const seen = families.get(process.pid) ?? [];
    if (seen.length >= process.children && seen.every((child) => child.comm === process.comm)) return [];
    return [report(host, snapshot, process, count)];
  });
}

function childrenByParent(host: HostView): Map<number, Process[]> {
  const families = new Map<number, Process[]>();
  for (const process of host.last.processes) {
    families.set(process.ppid, [...(families.get(process.ppid) ?? []), process]);
  }
  return families;
}

function report(host: HostView, snapshot: Snapshot, process: Process, count: number): Finding {
  const holders = heldListeners(host, snapshot, process);
  const held = holders.length > 0 ? `; ${listed(holders)}` : '';
  return info(
    `${named(process)} has ${count} sockets without close-on-exec and ${process.children} child processes${held}`,
    [
      {
        source: `/proc/${process.pid}/fdinfo`,
        key: 'sockets without O_CLOEXEC',
        value: count,
        unit: '1',
        scope: 'now',
      },
      { source: '/proc', key: 'children', value: process.children, unit: '1', scope: 'now' },
    ],
    {
      subject: host.subject(process.pid),
      weight: count + 1000 * holders.length,
      why: 'Every program that it starts inherits these sockets: a port or a connection stays open after their owner closed it, and a restart fails with EADDRINUSE.',
      remedy: {
        summary: 'Open sockets with SOCK_CLOEXEC and accept4(), or close them between fork() and exec()',
      },
    },
  );
}

/** Listeners of a process that a child of another program holds as well: the leak itself, not only its possibility. */
function heldListeners(host: HostView, snapshot: Snapshot, process: Process): string[] {
  const listeners = (snapshot.readings.at(-1)?.netns ?? []).flatMap((netns) => netns.sockets?.listeners ?? []);
  return listeners.flatMap((listener) => {
    if (!listener.owners.some((owner) => owner.pid === process.pid)) return [];
    const strangers = listener.owners.filter(
      (owner) => owner.comm !== process.comm && host.process(owner.pid)?.ppid === process.pid,
    );
    return strangers.map((owner) => `${named(owner)} holds its listener ${listener.local}`);
  });
}
