import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askMonitor } from '../../control/monitor/client.js';
import { TYPE } from '../../control/monitor/messages.js';
import { socketsToAsk } from '../../control/monitor/places.js';
import { startMonitor } from './start.js';

const PATIENCE_MS = 2000;

/** The socket of a monitor that serves us, the one that is named or ours or the system's; it is started where none runs. */
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

const answers = async (socket: string) => (await askMonitor(socket, TYPE.status, PATIENCE_MS)) !== undefined;
