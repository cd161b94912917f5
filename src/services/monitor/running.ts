import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { socketsToAsk } from '../../control/monitor/places.js';
import { restartOf } from '../../model/monitor.js';
import { notPossible } from '../../support/errors.js';
import { startMonitor } from './start.js';
import { isUsable, statusAt } from './status.js';

const PATIENCE_MS = 2000;

/**
 * The socket of a monitor that serves us, the one that is named or ours or the system's; it is started where none runs. One
 * of another build is an error: it would keep everything on the kernel.
 */
export async function runningMonitor(named: string | undefined): Promise<string> {
  const wanted = named ?? (process.env.SOCKDOC_MONITOR || undefined);
  const sockets = socketsToAsk(wanted).map((socket) => resolve(socket));
  for (const socket of sockets) if (await answers(socket)) return socket;
  try {
    return (await startMonitor(wanted === undefined ? {} : { socket: wanted })).socket;
  } catch (error) {
    // Somebody else may have started one at the same moment.
    for (let i = 0; i < 20; i++) {
      for (const socket of sockets) if (await answers(socket)) return socket;
      await sleep(50);
    }
    throw error;
  }
}

/** Whether there is one that serves us, without starting any. */
export async function monitorRuns(named: string | undefined): Promise<boolean> {
  for (const socket of socketsToAsk(named ?? (process.env.SOCKDOC_MONITOR || undefined)))
    if (await answers(resolve(socket))) return true;
  return false;
}

async function answers(socket: string): Promise<boolean> {
  const running = await statusAt(socket, PATIENCE_MS);
  if (running === undefined || isUsable(running)) return running !== undefined;
  throw notPossible(
    `the monitor at ${socket} (${running.version}) is of another build than this sockdoc: all would stay on the kernel`,
    { next: restartOf(socket) },
  );
}
