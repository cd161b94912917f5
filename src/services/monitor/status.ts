import { setTimeout as sleep } from 'node:timers/promises';
import { askMonitor } from '../../control/monitor/client.js';
import { MEMORY_VERSION, TYPE } from '../../control/monitor/messages.js';
import { ownSocket, socketsToAsk } from '../../control/monitor/places.js';
import type { MonitorRunning, MonitorStatusDocument, MonitorStopDocument } from '../../model/monitor.js';
import { notPossible } from '../../support/errors.js';

/** What the monitor that serves us says: the named one, our own, or the system's. */
export async function monitorStatus(named: string | undefined): Promise<MonitorStatusDocument> {
  const sockets = socketsToAsk(named);
  for (const socket of sockets) {
    const running = await statusAt(socket);
    if (running === undefined) continue;
    const usable = isUsable(running);
    return { schemaVersion: 1, command: 'monitor status', running: true, socket, usable, ...running };
  }
  return { schemaVersion: 1, command: 'monitor status', running: false, socket: sockets[0] ?? ownSocket() };
}

/** What the monitor at this socket says of itself; undefined where none runs. */
export async function statusAt(socket: string, patienceMs?: number): Promise<MonitorRunning | undefined> {
  const answer = await askMonitor(socket, TYPE.status, patienceMs);
  return answer?.type === TYPE.text ? (JSON.parse(answer.body.toString('utf8')) as MonitorRunning) : undefined;
}

/** Whether libsd of this build and that monitor share memory in the same way. */
export const isUsable = ({ memoryVersion }: MonitorRunning): boolean => memoryVersion === MEMORY_VERSION;

const PATIENCE_MS = 5000;

/** Ends the named monitor, that of SOCKDOC_MONITOR, or our own, and waits until its socket is gone. Connections carry on without it. */
export async function stopMonitor(named: string | undefined): Promise<MonitorStopDocument> {
  const socket = named ?? (process.env.SOCKDOC_MONITOR || ownSocket());
  const stopped = (await askMonitor(socket, TYPE.stop)) !== undefined;
  const end = performance.now() + PATIENCE_MS;
  while (stopped && (await askMonitor(socket, TYPE.status).catch(() => undefined)) !== undefined) {
    if (performance.now() > end) throw notPossible(`the monitor at ${socket} said that it ends, and did not`);
    await sleep(20);
  }
  return { schemaVersion: 1, command: 'monitor stop', stopped, socket };
}
