import { notPermitted, notPossible } from '../../support/errors.js';

export const deniedError = (pid: number) =>
  notPermitted(`the descriptors of process ${pid} may not be read`, {
    next:
      process.geteuid?.() === 0
        ? 'CAP_SYS_PTRACE is missing here, or a security module or another user namespace protects this process.'
        : `Looking into processes of other users needs CAP_SYS_PTRACE: sudo sockdoc fds ${pid}`,
  });

export const endedError = (pid: number) =>
  notPossible(`process ${pid} has ended`, { next: 'List processes with: ps -e' });
