import { resolve } from 'node:path';
import { type DaemonOptions, runInForeground, startInBackground } from '../../control/monitor/daemon.js';
import type { MonitorStartDocument } from '../../model/monitor.js';
import { type ErrorKind, EXIT, SockdocError } from '../../support/errors.js';

/** Starts the monitor and comes back when it answers. */
export async function startMonitor(options: DaemonOptions): Promise<MonitorStartDocument> {
  const started = await startInBackground(absolute(options));
  if ('error' in started) {
    const { code, message, next } = started.error;
    throw new SockdocError(KINDS[code] ?? 'internal', code, message, next === '' ? {} : { next });
  }
  return { schemaVersion: 1, command: 'monitor start', ...started };
}

/** Runs it until it ends; its exit code. */
export const runMonitor = (options: DaemonOptions): Promise<number> => runInForeground(absolute(options));

const KINDS: Readonly<Record<number, ErrorKind>> = {
  [EXIT.usage]: 'usage',
  [EXIT.notPermitted]: 'not-permitted',
  [EXIT.notPossible]: 'not-possible',
};

/** The daemon reads its policy again later, and a socket's path is told to others. */
function absolute({ socket, policy }: DaemonOptions): DaemonOptions {
  return {
    ...(socket === undefined ? {} : { socket: resolve(socket) }),
    ...(policy === undefined ? {} : { policy: resolve(policy) }),
  };
}
