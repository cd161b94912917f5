import { readFiles } from '../../probes/native.js';
import { notPermitted, notPossible, type SockdocError } from '../../support/errors.js';

export const deniedError = (pid: number) =>
  notPermitted(`the descriptors of process ${pid} may not be read`, {
    next:
      process.geteuid?.() === 0
        ? 'CAP_SYS_PTRACE is missing here, or a security module or another user namespace protects this process.'
        : `Looking into processes of other users needs CAP_SYS_PTRACE: sudo sockdoc fds ${pid}`,
  });

/** Why there are no descriptors of a process: `otherwise` where nothing of it is left to tell. */
export async function absentError(pid: number, otherwise = endedError(pid)): Promise<SockdocError> {
  const path = `/proc/${pid}/status`;
  const status = (await readFiles({ files: [path] })).files[path] ?? '';
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1];
  const leader = field('Tgid');
  if (leader !== undefined && leader !== String(pid))
    return notPossible(`${pid} is a thread of process ${leader}`, { next: `Example: sockdoc fds ${leader}` });
  if (field('State') === 'Z')
    return notPossible(
      `process ${pid} is a zombie: its descriptors are closed, only its parent has not asked for its end`,
      {
        next: `Its parent: sockdoc fds ${field('PPid')}`,
      },
    );
  if (status !== '' && field('VmSize') === undefined)
    return notPossible(`process ${pid} is a thread of the kernel: it has no descriptors`, { next: LIST });
  return otherwise;
}

const LIST = 'List processes with: ps -e';
const endedError = (pid: number) => notPossible(`process ${pid} has ended`, { next: LIST });
