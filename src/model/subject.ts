import type { Subject } from './results.js';

/** A subject in one phrase: "nginx, pid 42, 0.0.0.0:80"; "" when there is none. */
export function subjectText(subject: Subject | undefined): string {
  if (!subject) return '';
  const { comm, pid, tid, fd, cpu, ...named } = subject;
  const parts = [
    comm,
    pid === undefined ? undefined : `pid ${pid}`,
    tid === undefined ? undefined : `thread ${tid}`,
    fd === undefined ? undefined : `fd ${fd}`,
    named.listener,
    named.connection,
    named.interface,
    cpu === undefined ? undefined : `CPU ${cpu}`,
    named.key,
    named.file,
    named.cgroup === undefined ? undefined : `cgroup ${named.cgroup}`,
    named.container === undefined ? undefined : `container ${named.container}`,
    named.device,
    named.netns === undefined ? undefined : `netns ${named.netns}`,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}
